import { fstatSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { EXIT } from '../cli/exit-codes.ts'

/** Asked to stop, a command waits this long for whoever reads its output, in milliseconds. */
const STOP_WITHIN_MS = 700

const STDOUT_FD = 1

/** What is wrong where {@link isStdoutClosed}. */
export const STDOUT_CLOSED = 'it is closed'

/** The two lowest bits of open(2)'s flags: for reading, for writing, for both. */
const [ACCESS_MODE, READ_WRITE] = [0o3, 0o2]

/**
 * Whether nobody can have what is written to standard output, since it was closed when the program was started (`>&-`). Node puts
 * /dev/null there by then, open for reading and writing; a shell's `>/dev/null` is open for writing alone, and somebody's choice.
 * Programs that start others with such a /dev/null themselves (Python's DEVNULL) cannot be told from it.
 */
export function isStdoutClosed(): boolean {
  if (fstatSync(STDOUT_FD).rdev !== statSync('/dev/null', { throwIfNoEntry: false })?.rdev) return false
  const [, flags = ''] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${STDOUT_FD}`, 'utf8')) ?? []
  return (parseInt(flags, 8) & ACCESS_MODE) === READ_WRITE
}

/**
 * Ends a command with its output: the process may exit once this has settled.
 * @returns the exit code: the command's own when all of `text` was taken, else {@link EXIT.failed}, with a word on standard error
 */
export async function endWithOutput<Code extends number>(
  text: string,
  code: Code,
  stopSignal: AbortSignal,
  isNoFailure: (error: unknown) => boolean = () => false,
): Promise<Code | typeof EXIT.failed> {
  try {
    if (text !== '') await writeOutput(text, stopSignal)
    return code
  } catch (error) {
    if (isNoFailure(error)) return code
    return fail(error instanceof Error ? error.message : String(error))
  }
}

/** As {@link endWithOutput}, for what people look at: who has seen enough of it (`| head`) may go, which is no failure. */
export const endWithView: typeof endWithOutput = (text, code, stopSignal) =>
  endWithOutput(text, code, stopSignal, isReaderGone)

/** Whether nobody reads the other end of the pipe any more. */
export const isReaderGone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EPIPE'

/** As {@link endWithOutput}, for what the caller cannot do without: a standard output that was closed is a failure too. */
export function endWithProduct<Code extends number>(
  text: string,
  code: Code,
  stopSignal: AbortSignal,
): Promise<Code | typeof EXIT.failed> {
  const isLost = text !== '' && isStdoutClosed()
  return isLost ? Promise.resolve(fail(STDOUT_CLOSED)) : endWithOutput(text, code, stopSignal)
}

function fail(reason: string): typeof EXIT.failed {
  process.stderr.write(`flanneld: cannot write to standard output: ${reason}\n`)
  return EXIT.failed
}

/** @throws the system's own error; one of ours when the process is asked to stop while nobody reads */
export async function writeOutput(text: string, stopSignal: AbortSignal): Promise<void> {
  // Node's stream for files takes a short write, as on a full disk, for a whole one.
  if (fstatSync(STDOUT_FD).isFile()) writeFileSync(STDOUT_FD, text)
  else await Promise.race([writeToStream(text), unreadWhenStopped(stopSignal)])
}

/** A pipe takes 64 KiB at once (pipe(7)); the rest waits in this process for the reader. */
const writeToStream = (text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    process.stdout.on('error', reject) // said once more than to the callback: unheard, it would end the process
    process.stdout.write(text, (error) => {
      if (error) reject(error)
      else {
        process.stdout.off('error', reject)
        resolve()
      }
    })
  })

function unreadWhenStopped(stopSignal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const limit = (): void => {
      setTimeout(() => {
        reject(new Error('stopped before all of it was read'))
      }, STOP_WITHIN_MS).unref()
    }
    if (stopSignal.aborted) limit()
    else stopSignal.addEventListener('abort', limit, { once: true })
  })
}
