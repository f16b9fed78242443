import { spawn } from 'node:child_process'
import { FirewallError } from '../kernel/firewall.ts'

/**
 * Runs a program to its end, with `input` on its standard input. @returns its standard output, of `mostBytes` at most: one that prints
 * more is killed, and fails
 */
export type RunTool = (
  tool: string,
  args: readonly string[],
  input: string,
  signal: AbortSignal,
  mostBytes?: number,
) => Promise<string>

/** A program that has not ended after this long is killed, in milliseconds. They take a few; a lock is waited for at most 5 s. */
const DEADLINE_MS = 10_000

/** Where Debian, Red Hat and BusyBox keep them: not on every service's PATH. */
const ADMIN_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin']
/** Where there is no PATH. */
const ALL_FOLDERS = '/usr/local/bin:/usr/bin:/bin'

/**
 * Where programs are looked for. An element of PATH that is empty, or does not begin at the root, would be below the folder that we
 * happen to stand in, which may be anybody's.
 */
const foldersOf = (path: string | undefined): string =>
  [...(path ?? ALL_FOLDERS).split(':').filter((folder) => folder.startsWith('/')), ...ADMIN_FOLDERS].join(':')

/** Of a program's complaint as much as a log line can bear, in characters. */
const LONGEST_QUOTE = 400

/**
 * nft opens /dev/stdin by name, which works on a pipe and not on the socket that Node gives its children: cat makes it one. The first
 * argument behind it is the program.
 */
const THROUGH_A_PIPE = ['-c', 'cat | "$0" "$@"'] as const
/** Exit code of a shell that does not find the command (POSIX, Shell Command Language 2.8.2). */
const NOT_FOUND = 127

interface CommandExit {
  readonly code: number | null
  readonly killedBy: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly isTooLong: boolean
}

/**
 * Runs one of the firewall's programs. It is killed when `signal` aborts or its time is over; nothing is left running.
 * @throws {FirewallError} when it cannot be started, fails or is too slow; the abort's reason when `signal` aborts
 */
export const runTool: RunTool = async (tool, args, input, signal, mostBytes = Infinity) => {
  signal.throwIfAborted()
  const needsPipe = tool === 'nft' && input !== ''
  const [command, all] = needsPipe ? ['sh', [...THROUGH_A_PIPE, tool, ...args]] : [tool, args]
  const { code, killedBy, stdout, stderr, isTooLong } = await ending(command, all, input, { signal, mostBytes })
  signal.throwIfAborted()
  if (isTooLong) throw new FirewallError(tool, 'TOO_LONG', `${tool} prints more than ${mostBytes} bytes`)
  if (code === 0) return stdout
  if (needsPipe && code === NOT_FOUND) throw missing(tool)
  if (killedBy === 'SIGKILL')
    throw new FirewallError(tool, 'TIMEOUT', `${tool} did not end within ${DEADLINE_MS / 1000} s and was killed`)
  const words = inOneLine(stderr.trim() || stdout.trim()).slice(0, LONGEST_QUOTE)
  throw new FirewallError(tool, 'REFUSED', `${tool} failed (${killedBy ?? `exit code ${String(code)}`}): ${words}`)
}

/** Lines one behind the other, each still told from the next; without those that only mark a place in the one above, as nft's do. */
const inOneLine = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '))
    .filter((line) => !/^[\^~ ]*$/.test(line))
    .join('; ')

interface Limits {
  readonly signal: AbortSignal
  readonly mostBytes: number
}

function ending(
  tool: string,
  args: readonly string[],
  input: string,
  { signal, mostBytes }: Limits,
): Promise<CommandExit> {
  // A group of its own: a shell's children go with it.
  const child = spawn(tool, args, { env: environment(), stdio: 'pipe', detached: true })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  let bytes = 0
  const ended = new Promise<CommandExit>((resolve, reject) => {
    child.once('error', (error) => {
      reject(couldNotStart(tool, error))
    })
    child.once('close', (code, killedBy) => {
      const isTooLong = bytes > mostBytes
      const printed = isTooLong ? '' : Buffer.concat(stdout).toString()
      resolve({ code, killedBy, stdout: printed, stderr: Buffer.concat(stderr).toString(), isTooLong })
    })
  })
  // It was not started, and has no streams where descriptors have run out.
  if (child.pid === undefined) return ended
  const kill = (): void => {
    killGroup(child.pid)
  }
  const timer = setTimeout(kill, DEADLINE_MS)
  signal.addEventListener('abort', kill)
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > mostBytes) kill()
    else stdout.push(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  child.stdin.on('error', () => undefined) // it may end without reading all
  child.stdin.end(input)
  return ended.finally(() => {
    clearTimeout(timer)
    signal.removeEventListener('abort', kill)
  })
}

function killGroup(leader: number | undefined): void {
  if (leader === undefined) return
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // All of it has ended by itself.
  }
}

/** Ours, without what was meant for us alone: passwords may stand there. */
function environment(): NodeJS.ProcessEnv {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith('FLANNELD_'))
  return { ...Object.fromEntries(others), PATH: foldersOf(process.env['PATH']), LC_ALL: 'C' }
}

function couldNotStart(tool: string, error: Error): FirewallError {
  const isMissing = 'code' in error && error.code === 'ENOENT'
  return isMissing ? missing(tool) : new FirewallError(tool, 'REFUSED', `cannot run ${tool}: ${error.message}`)
}

function missing(tool: string): FirewallError {
  const cure =
    tool === 'nft'
      ? 'install nftables, or set EnableNFTables to false in the network configuration'
      : 'install iptables, or set EnableNFTables to true in the network configuration'
  return new FirewallError(tool, 'MISSING', `${tool} is not installed: ${cure}`)
}
