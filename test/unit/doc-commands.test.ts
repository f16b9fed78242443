import { describe, expect, it } from 'vitest'
import { pagesWithCommands, parseBlocks, type DocBlock } from '../docs/blocks.ts'
import { EXCLUDED } from '../docs/excluded.ts'
import { Learned } from '../docs/learned.ts'
import { allBlocks, isExcluded, SCENES } from '../docs/scene.ts'

const BLOCKS = allBlocks()
const COMMANDS = BLOCKS.flatMap(({ commands }) => commands)

const at = ({ page, line }: Pick<DocBlock, 'page' | 'line'>): string => `${page}:${line}`

describe('the commands in the documents', () => {
  it('are all run by a test, or said not to be, with the reason', () => {
    expect(COMMANDS.length).toBeGreaterThan(60)
    const left = BLOCKS.filter(({ place }) => place === undefined).flatMap(({ commands }) => commands)
    expect(left.filter((command) => !isExcluded(command)).map((command) => `${at(command)} ${command.text}`)).toEqual(
      [],
    )
  })

  it('are run on hosts that there are', () => {
    const isKnown = ({ place }: DocBlock): boolean =>
      place === undefined || place.hosts.every((host) => SCENES[place.scene]?.includes(host) === true)
    expect(BLOCKS.filter((block) => !isKnown(block)).map(at)).toEqual([])
  })

  it('are not excluded in vain', () => {
    const pages = pagesWithCommands()
    const stands = (page: string, text: string): boolean =>
      !pages.includes(page) || COMMANDS.some((one) => one.page === page && one.text === text)
    expect(EXCLUDED.filter(({ page, command }) => !stands(page, command))).toEqual([])
  })

  it('of every scene there are some', () => {
    const used = new Set(BLOCKS.map(({ place }) => place?.scene))
    expect(Object.keys(SCENES).filter((scene) => !used.has(scene))).toEqual([])
  })
})

describe('a block of commands', () => {
  it('is read with prompts, continued lines, outputs, and the place that a comment names', () => {
    const text = '<!-- run: lab on host-one, host-two -->\n```console\n# put \\\n    x\n$ cat y\n1\n2\n```\n'
    expect(parseBlocks('a.md', text)).toEqual([
      {
        page: 'a.md',
        line: 2,
        place: { scene: 'lab', hosts: ['host-one', 'host-two'] },
        commands: [
          { page: 'a.md', line: 3, text: 'put \\\n    x', output: [] },
          { page: 'a.md', line: 5, text: 'cat y', output: ['1', '2'] },
        ],
      },
    ])
  })

  it('begins with a prompt', () => {
    expect(() => parseBlocks('a.md', '```console\nls\n```\n')).toThrow('a.md:2')
  })
})

describe('what a document shows', () => {
  it('is looked for in order, with holes and other lines between', () => {
    const learned = new Learned()
    expect(learned.missing(['one …', '…', 'three'], ['zero', 'one x', 'two', '  three '])).toBeUndefined()
    expect(learned.missing(['three', 'one'], ['one', 'three'])).toBe('one')
    expect(learned.missing(['one'], ['one two'])).toBe('one')
  })

  it('names addresses that stand for those of this run, in what follows', () => {
    const learned = new Learned()
    expect(learned.missing(['SUBNET=10.15.64.1/20'], ['SUBNET=10.44.16.1/20'])).toBeUndefined()
    expect(learned.translate('ping 10.15.64.2 10.73.16.2')).toBe('ping 10.44.16.2 10.73.16.2')
    expect(learned.missing(['via 10.15.64.0'], ['via 10.45.0.0'])).toBe('via 10.15.64.0')
    expect(learned.missing(['via 10.15.64.0'], ['via 10.44.16.0'])).toBeUndefined()
  })
})
