import type { CommandCall } from '../cli/commands.ts'
import { runCni } from '../cni/run.ts'
import { endWithProduct } from './output.ts'

/** `flanneld cni`, or the program under the name `flannel`: the CNI plugin. Arguments mean nothing to it. */
export async function run({ environment, version, stopSignal }: CommandCall): Promise<number> {
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
