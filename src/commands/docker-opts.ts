import { readFile } from 'node:fs/promises'
import type { CommandCall } from '../cli/commands.ts'
import { dockerOpts } from '../docker/docker-opts.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { writeOutputFile } from '../host/files/output-file.ts'
import { NoRegularFileError, obstacleAt } from '../host/files/regular-file.ts'
import { exitAtOnce } from '../native/exit.ts'
import { endWithOutput, isStdoutClosed, STDOUT_CLOSED } from './output.ts'

/**
 * A FIFO is read like a file: shells make one of `-f <(…)`. Who opens one that nobody writes to waits in the kernel, and process.exit
 * would wait for that.
 * @throws the file system's own error; {NoRegularFileError} for what never ends, or is no text
 */
async function readSource(path: string, stopSignal: AbortSignal): Promise<string> {
  const kind = await obstacleAt(path)
  if (kind !== undefined && kind !== 'a FIFO') throw new NoRegularFileError(path, kind)
  stopSignal.throwIfAborted()
  const stop = (): never => exitAtOnce(EXIT.failed)
  stopSignal.addEventListener('abort', stop)
  try {
    return await readFile(path, 'utf8')
  } finally {
    stopSignal.removeEventListener('abort', stop)
  }
}

/** Other names of standard output, for `-d`. */
const STDOUT = /^\/(?:dev\/(?:stdout|fd\/1)|proc\/self\/fd\/1)$/

/** @throws the file system's own error; one of ours when standard output is meant and closed */
async function writeProduct(path: string, text: string): Promise<void> {
  if (STDOUT.test(path) && isStdoutClosed()) throw new Error(`standard output: ${STDOUT_CLOSED}`)
  await writeOutputFile(path, text)
}

/** `flanneld docker-opts`. */
export async function run({ args, environment, stopSignal }: CommandCall): Promise<number> {
  const read = (path: string): Promise<string> => readSource(path, stopSignal)
  const { code, stdout, stderr } = await dockerOpts(args, environment, { read, write: writeProduct })
  process.stderr.write(stderr)
  return endWithOutput(stdout, code, stopSignal)
}
