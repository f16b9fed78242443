import { readFile } from 'node:fs/promises'
import { cleanUp, type CleanupPorts, type CleanupReport } from '../cleanup/clean-up.ts'
import type { SubnetFiles } from '../cleanup/plan.ts'
import { readCleanup } from '../cli/cleanup.ts'
import type { CommandCall } from '../cli/commands.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { LinuxFirewall } from '../firewall/linux-firewall.ts'
import { NftPeerFilter } from '../firewall/peer-filter.ts'
import { findLeftovers, isSubnetEnv, removeFile } from '../host/subnet-env.ts'
import { RtnetlinkKernel } from '../netlink/rtnetlink-kernel.ts'
import { endWithOutput } from './output.ts'

/** `flanneld cleanup`. */
export async function run({ args, environment, stopSignal }: CommandCall): Promise<number> {
  const invocation = readCleanup(args, environment)
  if (invocation.kind === 'print') return endWithOutput(invocation.text, EXIT.done, stopSignal)
  const { dryRun, subnetFile } = invocation
  const kernel = new RtnetlinkKernel()
  const files: CleanupPorts['files'] = { find: () => findSubnetFiles(subnetFile), remove: removeFile }
  const ports = { kernel, firewall: new LinuxFirewall(), peerFilter: new NftPeerFilter(), files }
  try {
    return await print(await cleanUp(ports, dryRun, stopSignal), dryRun, stopSignal)
  } catch (error) {
    if (!stopSignal.aborted) throw error
    process.stderr.write('flanneld cleanup: stopped before it was done\n')
    return EXIT.failed
  } finally {
    kernel.close()
  }
}

function print({ removed, kept, failures }: CleanupReport, dryRun: boolean, stopSignal: AbortSignal): Promise<number> {
  const lines = [
    ...removed.map((thing) => `${dryRun ? 'would remove' : 'removed'} ${thing}`),
    ...kept.map((thing) => `left alone ${thing}`),
  ]
  process.stderr.write(failures.map((failure) => `flanneld cleanup: failed: ${failure}\n`).join(''))
  const code = failures.length === 0 ? EXIT.done : EXIT.failed
  return endWithOutput(lines.map((line) => `${line}\n`).join(''), code, stopSignal)
}

async function findSubnetFiles(path: string): Promise<SubnetFiles> {
  const leftovers = await findLeftovers(path)
  try {
    return { path, content: isSubnetEnv(await readFile(path, 'utf8')) ? 'subnet' : 'other', leftovers }
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return { path, content: 'none', leftovers }
    throw error
  }
}
