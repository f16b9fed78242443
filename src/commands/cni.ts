import type { CommandCall } from '../cli/commands.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { ConfigError } from '../config/error.ts'
import { CNI_HELP } from '../cni/help.ts'
import { runCni } from '../cni/run.ts'
import { endWithOutput, endWithProduct } from './output.ts'

/**
 * `flanneld cni`, or the program under the name `flannel`: the CNI plugin. A runtime gives no arguments, and if one does they mean nothing;
 * a person who calls it by hand is told.
 * @throws {ConfigError} for arguments without CNI_COMMAND
 */
export async function run({ args, environment, version, stopSignal }: CommandCall): Promise<number> {
  if ((environment['CNI_COMMAND'] ?? '') === '' && args.length > 0) {
    if (args.some((arg) => /^--?h(elp)?$/.test(arg))) return endWithOutput(CNI_HELP, EXIT.done, stopSignal)
    throw new ConfigError('arguments', 'none: variables say what to do (see flanneld cni --help)', args[0])
  }
  const { stdout, exitCode } = await runCni({
    environment,
    stdin: process.stdin,
    stopSignal,
    about: `CNI plugin flannel of flannel-agent ${version}; container runtimes call it with CNI_COMMAND in the environment`,
    remark: (text) => {
      process.stderr.write(`flannel: ${text}\n`)
    },
  })
  return endWithProduct(stdout, exitCode, stopSignal)
}
