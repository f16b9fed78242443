import { spawn } from 'node:child_process'
import { PeerFilterError } from '../reconcile/peer-filter.ts'

/** A lock held by another nft, or a busy machine, may cost a moment; nothing takes this long, in milliseconds. */
const TIMEOUT_MS = 15_000
/** What is read of its complaints, in characters. */
const MOST_WORDS = 2_000

/** nft opens /dev/stdin by name, which works on a pipe and not on the socket that Node gives its children: cat makes it one. */
const THROUGH_A_PIPE = ['-c', 'cat | nft "$@"', 'sh'] as const
/** Exit code of a shell that does not find the command (POSIX, Shell Command Language 2.8.2). */
const NOT_FOUND = 127

interface Ending {
  readonly code: number | null
  readonly output: string
  readonly words: string
}

/**
 * Runs nft with JSON in and out (libnftables-json(5)); what stands in `input` is one transaction.
 * @returns its standard output
 * @throws {PeerFilterError} with nft's own words when it refuses
 */
export async function nft(op: string, args: readonly string[], signal: AbortSignal, input = ''): Promise<string> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  try {
    const { code, output, words } = await run(['-j', ...args], AbortSignal.any([signal, timeout]), input)
    if (code === 0) return output
    if (code === NOT_FOUND) throw missing(op)
    const reason = words.trim().split('\n')[0] ?? ''
    throw new PeerFilterError({ op, code: 'REFUSED', message: `nft refuses (exit code ${String(code)}): ${reason}` })
  } catch (error) {
    if (error instanceof PeerFilterError) throw error
    signal.throwIfAborted()
    throw notRun(op, error, timeout.aborted)
  }
}

function notRun(op: string, error: unknown, isLate: boolean): PeerFilterError {
  if (isLate) return new PeerFilterError({ op, code: 'TIMEOUT', message: `nft took over ${TIMEOUT_MS / 1000} s` })
  const cause = error instanceof Error ? error : new Error(String(error))
  const isMissing = 'code' in cause && cause.code === 'ENOENT'
  return isMissing
    ? missing(op)
    : new PeerFilterError({ op, code: 'REFUSED', message: `nft cannot be run: ${cause.message}`, cause })
}

const missing = (op: string): PeerFilterError =>
  new PeerFilterError({ op, code: 'MISSING', message: 'there is no nft command: install the package nftables' })

function run(args: readonly string[], signal: AbortSignal, input: string): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const [command, all] = input === '' ? ['nft', args] : ['sh', [...THROUGH_A_PIPE, ...args]]
    const child = spawn(command, all, { stdio: ['pipe', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' })
    const output: Buffer[] = []
    let words = ''
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(0, MOST_WORDS)
    })
    child.stdin.on('error', () => undefined) // it may end before it has read all; its exit code tells
    child.once('error', reject)
    child.once('close', (code) => {
      resolve({ code, output: Buffer.concat(output).toString(), words })
    })
    child.stdin.end(input)
  })
}
