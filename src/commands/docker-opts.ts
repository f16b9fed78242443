import { readFile } from 'node:fs/promises'
import type { CommandCall } from '../cli/commands.ts'
import { dockerOpts } from '../cli/docker-opts.ts'
import { writeOutputFile } from '../host/output-file.ts'
import { endWithOutput } from './output.ts'

const FILES = { read: (path: string) => readFile(path, 'utf8'), write: writeOutputFile }

/** `flanneld docker-opts`. */
export async function run({ args, environment, stopSignal }: CommandCall): Promise<number> {
  const { code, stdout, stderr } = await dockerOpts(args, environment, FILES)
  process.stderr.write(stderr)
  return endWithOutput(stdout, code, stopSignal)
}
