import { readFile } from 'node:fs/promises'
import type { CommandCall } from '../cli/commands.ts'
import { dockerOpts } from '../cli/docker-opts.ts'
import { writeOutputFile } from '../host/output-file.ts'
import { endWithOutput, isStdoutClosed, STDOUT_CLOSED } from './output.ts'

const FILES = { read: (path: string) => readFile(path, 'utf8'), write: writeProduct }

/** Other names of standard output, for `-d`. */
const STDOUT = /^\/(?:dev\/(?:stdout|fd\/1)|proc\/self\/fd\/1)$/

/** @throws the file system's own error; one of ours when standard output is meant and closed */
async function writeProduct(path: string, text: string): Promise<void> {
  if (STDOUT.test(path) && isStdoutClosed()) throw new Error(`standard output: ${STDOUT_CLOSED}`)
  await writeOutputFile(path, text)
}

/** `flanneld docker-opts`. */
export async function run({ args, environment, stopSignal }: CommandCall): Promise<number> {
  const { code, stdout, stderr } = await dockerOpts(args, environment, FILES)
  process.stderr.write(stderr)
  return endWithOutput(stdout, code, stopSignal)
}
