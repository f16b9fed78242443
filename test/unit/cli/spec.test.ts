import { describe, expect, it } from 'vitest'
import { COMMON } from '../../../src/cli/command/common-flags.ts'
import { helpOf, readCommand, type CommandSpec } from '../../../src/cli/command/spec.ts'
import { integer } from '../../../src/cli/flag.ts'
import { FLAGS } from '../../../src/cli/flags.ts'

const COUNT = integer('count', 0, 0, 9, 'how often')
const SPEC: CommandSpec = {
  name: 'try',
  operands: 'NODE',
  takes: [1, 1],
  about: 'Tries it.\n\n  try host-one',
  flags: [COUNT, COMMON.json, FLAGS.prefix],
  letters: { c: COUNT },
  exits: '0.',
}

function read(args: readonly string[], environment = {}): object {
  const reading = readCommand(SPEC, args, environment)
  if (reading.kind === 'print') return reading
  const { operands, value } = reading
  return { operands, count: value(COUNT), json: value(COMMON.json), prefix: value(FLAGS.prefix) }
}

describe('the arguments of a command', () => {
  const expected = { operands: ['host-one'], count: 3, json: true, prefix: '/x' }

  it.each([
    ['host-one --count 3 --json --etcd-prefix=/x'],
    ['-c 3 host-one -json -etcd-prefix /x'],
    ['--json -c=3 --etcd-prefix /x -- host-one'],
  ])('may stand in any order: %s', (line) => {
    expect(read(line.split(' '))).toEqual(expected)
  })

  it('take flags of the daemon from the environment, and no others', () => {
    const environment = { FLANNELD_ETCD_PREFIX: '/y', FLANNELD_COUNT: '4', FLANNELD_JSON: 'true' }
    expect(read(['x'], environment)).toEqual({ operands: ['x'], count: 0, json: false, prefix: '/y' })
  })

  it('may look like flags behind two dashes', () => {
    expect(read(['--', '--json'])).toMatchObject({ operands: ['--json'], json: false })
  })

  it.each([
    [[], 'arguments: expected NODE, found nothing'],
    [[''], 'arguments: expected NODE, found ""'],
    [['--', ' '], 'arguments: expected NODE, found ""'],
    [['a', 'b'], 'arguments: expected no more than NODE, found "b"'],
    [['a', '--cuont', '3'], '--cuont: expected a flag of flanneld try (did you mean --count?), found "--cuont"'],
    [['a', '--count'], '--count: expected a value after it, found nothing'],
    [['a', '-c', 'x'], '--count: expected a whole number from 0 to 9, found "x"'],
    [
      ['a', '--__proto__'],
      '--__proto__: expected a flag of flanneld try (see flanneld try --help), found "--__proto__"',
    ],
    [
      ['a', '--constructor=1'],
      '--constructor: expected a flag of flanneld try (did you mean --count?), found "--constructor"',
    ],
  ])('%j are refused with: %s', (args, message) => {
    expect(() => read(args)).toThrow(message.replace(/ \(did you mean --count\?\), found "--constructor"$/, ''))
  })

  it.each([['--help'], ['-h'], ['-help']])('%s explains them, whatever else stands there', (flag) => {
    expect(read(['a', 'b', flag])).toEqual({ kind: 'print', text: helpOf(SPEC) })
  })
})

describe('the help of a command', () => {
  it('has its usage, what it does, its flags and its exit codes, within 99 columns', () => {
    const text = helpOf({ ...SPEC, about: `${'word '.repeat(40).trim()}\n\n  try host-one` })
    expect(text).toMatch(/^Usage: flanneld try NODE \[flags\]\n/)
    expect(text).toContain('\n  try host-one\n')
    expect(text).toContain('\n  -c, --count <n>\n    how often (default: 0)\n')
    expect(text).toMatch(/\nExit code: 0\.\n$/)
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThan(100)
  })
})
