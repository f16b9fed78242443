import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const SOURCES = join(ROOT, 'src/native/udp')
const DRIVERS = join(ROOT, 'test/unit/native/udp')
const FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-O1', '-g', '-Wall', '-Wextra', '-fno-sanitize-recover=all']
const run = promisify(execFile)
/** Another one each day; of a run that fails it is said. */
const SEED = String(Math.floor(Date.now() / 86_400_000))

/** One to two seconds of a processor: not for so long, in which a busy machine tries none. */
const PACKETS = 60_000

const folder = mkdtempSync(join(tmpdir(), 'udp-sanitized-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const headers = [
  join(dirname(process.execPath), '../include/node'),
  '/usr/include/node',
  '/usr/local/include/node',
].find((path) => existsSync(join(path, 'uv.h')))
const source = (name: string): string => join(SOURCES, `${name}.c`)

/**
 * In front of what is sanitized: where the kernel lays out addresses over more than 30 bits, as newer ones of Ubuntu do, sanitizers of
 * older compilers find memory where theirs should be, in some starts and not in others (google/sanitizers issues 1614 and 1716). Containers may
 * forbid it.
 */
const IN_ORDER = ['setarch', '--addr-no-randomize']
const mayOrder = spawnSync('setarch', [...IN_ORDER.slice(1), 'true']).status === 0
const MOST_BITS = 30
const randomBits = (): number => Number(readFileSync('/proc/sys/vm/mmap_rnd_bits', 'utf8'))

const lineOf = (program: string, args: readonly string[]): readonly [string, readonly string[]] => {
  const [command = program, ...rest] = [...(mayOrder ? IN_ORDER : []), program, ...args]
  return [command, rest]
}

/** Why nothing can be made with a sanitizer here, or does not run; undefined when it can. */
function missing(sanitizer: string): string | undefined {
  if (headers === undefined) return "Node's headers are not here"
  const program = join(folder, 'try')
  const options = { input: 'int main(void) { return 0; }', encoding: 'utf8' } as const
  const made = spawnSync('cc', [`-fsanitize=${sanitizer}`, '-x', 'c', '-', '-o', program], options)
  if (made.status !== 0) return `cc makes nothing with -fsanitize=${sanitizer}: ${made.error?.message ?? made.stderr}`
  if (!mayOrder && randomBits() > MOST_BITS)
    return `addresses are random in ${randomBits()} bits here, and setarch may not change that`
  const tried = spawnSync(...lineOf(program, []), { encoding: 'utf8' })
  return tried.status === 0 ? undefined : `nothing runs with -fsanitize=${sanitizer}: ${tried.stderr}`
}

/** Skipping is said, and where a compiler is promised (CI) it is not done. */
const unless = (why: string | undefined) => {
  if (why !== undefined) process.stderr.write(`SKIPPED, the forwarder of the udp backend is not tried: ${why}\n`)
  return describe.skipIf(why !== undefined && process.env['CI'] === undefined)
}

function compile(name: string, args: readonly string[]): string {
  const program = join(folder, name)
  execFileSync('cc', [...FLAGS, `-I${headers ?? ''}`, ...args, '-o', program], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return program
}

const numberOf = (json: string, name: string): number => Number(new RegExp(`"${name}":(\\d+)`).exec(json)?.[1])

const NAMES = ['forwarder', 'inward', 'outward', 'turns', 'peers', 'packet']
/** Whose calls the driver of that name makes itself (ld(1)). */
const wrapped = (...calls: readonly string[]): string => calls.map((call) => `,--wrap=${call}`).join('')

unless(missing('address,undefined'))('what the forwarder does with packets, under sanitizers', () => {
  it('holds for any packet, and stays within it', async () => {
    const sanitize = '-fsanitize=address,undefined'
    const packet = compile('packet.o', [sanitize, '-fsanitize-coverage=trace-pc', '-c', source('packet')])
    const fuzz = compile('fuzz', [sanitize, source('peers'), join(DRIVERS, 'fuzz.c'), packet])
    const { stdout } = await run(...lineOf(fuzz, [String(PACKETS), SEED]))
    expect(numberOf(stdout, 'joined')).toBeGreaterThan(PACKETS / 50)
  })

  it('sends each packet once, in order, as it was, whatever the calls refuse', async () => {
    const send = compile('send', [
      '-fsanitize=address,undefined',
      ...NAMES.map(source),
      join(DRIVERS, 'send.c'),
      `-Wl${wrapped('read', 'sendmsg', 'sendmmsg', 'sendto')}`,
    ])
    const { stdout } = await run(send, ['60', SEED])
    for (const what of ['sent', 'notSent', 'refused']) expect(numberOf(stdout, what)).toBeGreaterThan(100)
  })

  it.each(['address,undefined', 'thread'])(
    'has no fault with %s, while peers are swapped, threads part and join, and it is stopped and started',
    async (sanitizer) => {
      const why = missing(sanitizer)
      expect(why).toBeUndefined()
      const drive = compile(`drive-${sanitizer}`, [
        `-fsanitize=${sanitizer}`,
        ...NAMES.map(source),
        join(DRIVERS, 'drive.c'),
        '-pthread',
        `-Wl${wrapped('epoll_ctl', 'epoll_wait', 'write', 'recvmmsg')}`,
      ])
      const { stdout } = await run(...lineOf(drive, ['1500', SEED, String(20_000 + (process.pid % 10_000))]))
      for (const what of ['outward', 'inward', 'parted']) expect(numberOf(stdout, what)).toBeGreaterThan(0)
      expect(numberOf(stdout, 'woken')).toBe(0)
    },
  )
})
