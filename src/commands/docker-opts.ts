import { readFile } from 'node:fs/promises'
import type { CommandCall } from '../cli/commands.ts'
import { dockerOpts } from '../cli/docker-opts.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { writeOutputFile } from '../host/output-file.ts'
import { NoRegularFileError, obstacleAt } from '../host/regular-file.ts'
import { exitAtOnce } from '../netlink/exit.ts'
import { endWithOutput, isStdoutClosed, STDOUT_CLOSED } from './output.ts'

const FILES = { read: readSource, write: writeProduct }

/**
 * A FIFO is read like a file: shells make one of `-f <(…)`.
 * @throws the file system's own error; {NoRegularFileError} for what never ends, or is no text
 */
async function readSource(path: string): Promise<string> {
  const kind = await obstacleAt(path)
  if (kind !== undefined && kind !== 'a FIFO') throw new NoRegularFileError(path, kind)
  return readFile(path, 'utf8')
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
  // whoever opens a FIFO that nobody writes to waits in the kernel, and process.exit would wait for that
  const stop = (): never => exitAtOnce(EXIT.failed)
  stopSignal.addEventListener('abort', stop)
  const { code, stdout, stderr } = await dockerOpts(args, environment, FILES)
  stopSignal.removeEventListener('abort', stop)
  process.stderr.write(stderr)
  return endWithOutput(stdout, code, stopSignal)
}
