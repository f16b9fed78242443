import { describe, expect, test, vi } from 'vitest'
import { EXCLUDED } from './excluded.ts'
import { blocksOf, pagesWithCommands, type DocBlock, type DocCommand } from './blocks.ts'
import { Learned } from './learned.ts'
import type { Session } from './session.ts'

/** Every scene with its hosts. Where they are made: test/e2e/docs.test.ts, test/e2e/docs-etcd.test.ts and test/root/docs.test.ts. */
export const SCENES: Readonly<Record<string, readonly string[]>> = {
  lab: ['host-one', 'host-two'],
  'quick-start': ['host-one', 'host-two'],
  install: ['host-one', 'host-two', 'host-three'],
  vagrant: ['host-one', 'host-two'],
  etcd: ['host-one', 'host-two'],
}

export const allBlocks = (): readonly DocBlock[] => pagesWithCommands().flatMap(blocksOf)

export const isExcluded = ({ page, text }: DocCommand): boolean =>
  EXCLUDED.some((one) => one.page === page && one.command === text)

/** A stage that is set: shells on its hosts, by the names of the documents. */
export interface Stage {
  session(host: string): Session
  /** Called before each command, for what the reader has and a laboratory has not, such as images. */
  prepare?(host: string, command: string): Promise<void>
}

/** What the others take for granted. */
const FIRST = 'docs/install.md'

/**
 * A reader looks again when a file or an answer is not there at once; for so long, in milliseconds. Pings too: in a container that has just
 * been started on a busy machine, the first was once answered after 1.02 s (a link that does not carry yet, and ARP asked again) and the
 * second lost.
 */
const PATIENCE_MS = 15_000
const LOOKS = /^(cat|curl|ip|bridge|etcdctl get|systemctl status|docker exec|docker run --rm busybox ping) /

/** Packages are installed: minutes on a busy machine. In milliseconds. */
const BLOCK_MS = 400_000

/** Follows the guides of a scene, page by page, block by block, each on the hosts that it is for, side by side. */
export function followGuides(scene: string, stage: Stage): void {
  const learned = new Learned()
  const blocks = allBlocks().filter(({ place }) => place?.scene === scene)
  const pages = [...new Set([FIRST, ...blocks.map(({ page }) => page)])].filter((page) =>
    blocks.some((one) => one.page === page),
  )
  describe.each(pages)('%s', (page) => {
    const mine = blocks.filter((block) => block.page === page)
    test.each(mine)(
      'the commands of line $line do what they say',
      { timeout: BLOCK_MS },
      async ({ place, commands }) => {
        const wanted = commands.filter((command) => !isExcluded(command))
        const onHost = async (host: string): Promise<void> => {
          for (const command of wanted) await follow(stage, host, command, learned)
        }
        await Promise.all((place?.hosts ?? []).map(onHost))
      },
    )
  })
}

async function follow(stage: Stage, host: string, command: DocCommand, learned: Learned): Promise<void> {
  const text = learned.translate(command.text)
  await stage.prepare?.(host, text)
  const session = stage.session(host)
  const attempt = async (): Promise<void> => {
    const { code, output } = await session.run(text)
    const where = `${command.page}:${command.line} on ${host}\n$ ${text}\n${output}`
    expect(code, where).toBe(0)
    expect(learned.missing(command.output, output.split(/\r?\n/)), where).toBeUndefined()
  }
  if (LOOKS.test(text)) await vi.waitFor(attempt, { timeout: PATIENCE_MS, interval: 200 })
  else await attempt()
}
