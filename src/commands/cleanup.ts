import { randomUUID } from 'node:crypto'
import { lstat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { systemClock } from '../host/system-clock.ts'
import { cleanUp, type CleanupPorts, type CleanupReport } from '../cleanup/clean-up.ts'
import { decommission, type DecommissionReport } from '../cleanup/decommission.ts'
import type { GiveBackPorts } from '../cleanup/give-back.ts'
import type { PeerPath, SubnetFiles } from '../cleanup/plan.ts'
import { readCleanup, type CleanupInvocation, type LeaseRelease } from '../cli/cleanup.ts'
import type { CommandCall } from '../cli/commands.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { unknownVariables } from '../cli/unknown-variables.ts'
import { describeIgnored } from '../config/endpoints.ts'
import { statusSocketBeside } from '../config/status-socket.ts'
import { EtcdLeaseStore } from '../etcd/etcd-lease-store.ts'
import { hearGrpc } from '../etcd/grpc-log.ts'
import { LinuxFirewall } from '../firewall/linux-firewall.ts'
import { NftPeerFilter } from '../firewall/peer-filter/nft-peer-filter.ts'
import { NoIdentityError, readNodeId } from '../host/identity.ts'
import { NoRegularFileError, readRegularFile } from '../host/files/regular-file.ts'
import { HostTakenError } from '../host/claim/sole-agent.ts'
import { findTemporaryFiles, removeFile } from '../host/files/atomic-file.ts'
import { isSubnetEnv, parseNetworks, parseSubnets } from '../host/subnet-env.ts'
import { listenerOf } from '../native/unix-listener.ts'
import { decodeLease } from '../lease/codec.ts'
import { printable, visible } from '../text/printable.ts'
import type { LeaseStore } from '../lease/store.ts'
import { RtnetlinkKernel } from '../netlink/rtnetlink-kernel.ts'
import { endWithOutput, isStdoutClosed } from './output.ts'
import { wordsFor } from './cleanup-report.ts'
import { agentOnThisHost, claimThisHost } from './this-host.ts'

type CleaningUp = Extract<CleanupInvocation, { kind: 'clean' }>

/** `flanneld cleanup`. */
export async function run({ args, environment, stopSignal }: CommandCall): Promise<number> {
  const invocation = readCleanup(args, environment)
  if (invocation.kind === 'print') return endWithOutput(invocation.text, EXIT.done, stopSignal)
  unknownVariables(environment).forEach(complain)
  try {
    if (!invocation.dryRun) return await cleanUpAlone(invocation, stopSignal)
    const agent = agentOnThisHost()
    if (agent !== undefined) complain(new HostTakenError(agent).message)
    return await cleanUpHere(invocation, stopSignal)
  } catch (error) {
    if (error instanceof NoIdentityError) {
      complain(error.message)
      return EXIT.usage
    }
    if (!stopSignal.aborted && !(error instanceof HostTakenError)) throw error
    complain(error instanceof HostTakenError ? error.message : 'stopped before it was done')
    return EXIT.failed
  }
}

const complain = (text: string): void => {
  process.stderr.write(`flanneld cleanup: ${printable(text)}\n`)
}

/** An agent would put everything back; one that is started meanwhile waits. @throws {HostTakenError} */
async function cleanUpAlone(invocation: CleaningUp, stopSignal: AbortSignal): Promise<number> {
  const giveUp = await claimThisHost(complain, stopSignal)
  try {
    return await cleanUpHere(invocation, stopSignal)
  } finally {
    giveUp()
  }
}

async function cleanUpHere(invocation: CleaningUp, stopSignal: AbortSignal): Promise<number> {
  const { dryRun, subnetFile, etcd, release } = invocation
  const node = release && { id: release.nodeId ?? (await readNodeId()), hostname: hostname() }
  const kernel = new RtnetlinkKernel()
  for (const ignored of etcd?.ignoredPaths ?? []) complain(describeIgnored(ignored))
  hearGrpc(
    {
      error: (text) => {
        complain(`gRPC: ${text}`)
      },
      debug: () => undefined,
    },
    systemClock,
  )
  const store = etcd && new EtcdLeaseStore(etcd, { clock: systemClock, random: Math.random })
  const files: CleanupPorts['files'] = { find: () => findSubnetFiles(subnetFile), remove: removeFile }
  const ports: CleanupPorts = {
    ...{ kernel, firewall: new LinuxFirewall(), peerFilter: new NftPeerFilter(), files },
    listPeers: store && ((signal) => listPeers(store, signal)),
  }
  try {
    const report =
      release === undefined || node === undefined || store === undefined
        ? await cleanUp(ports, dryRun, stopSignal)
        : await decommission(ports, leasePorts(store, release), node, dryRun, stopSignal)
    return await print(report, dryRun, stopSignal)
  } finally {
    kernel.close()
    store?.close()
  }
}

const leasePorts = (store: EtcdLeaseStore, { etcd: { prefix } }: LeaseRelease): GiveBackPorts => ({
  ...{ store, prefix, clock: systemClock, random: Math.random },
  instance: randomUUID(),
})

/** @throws {StoreError} */
async function listPeers(store: Pick<LeaseStore, 'list'>, signal: AbortSignal): Promise<readonly PeerPath[]> {
  const { records } = await store.list(signal)
  return records.flatMap((record) => {
    const lease = decodeLease(record)
    return 'rejected' in lease ? [] : lease.families.map(({ subnet, publicIp }) => ({ subnet, publicIp }))
  })
}

function print(
  report: CleanupReport & Partial<DecommissionReport>,
  dryRun: boolean,
  stopSignal: AbortSignal,
): Promise<number> {
  const { text: words, complaints, code } = wordsFor(report, dryRun)
  const text = words.split('\n').map(visible).join('\n') // of leases, and of whoever holds them
  const isLost = isStdoutClosed() // what was done on this host must not go unsaid
  if (isLost) process.stderr.write(text)
  complaints.forEach(complain)
  return isLost ? Promise.resolve(code) : endWithOutput(text, code, stopSignal)
}

async function findSubnetFiles(path: string): Promise<SubnetFiles> {
  const temporaryFiles = await findTemporaryFiles(path)
  const beside = { temporaryFiles, statusSocket: await leftSocket(statusSocketBeside(path)) }
  const nothing: SubnetFiles = { path, content: 'none', subnets: [], networks: [], ...beside }
  try {
    const text = await readRegularFile(path)
    return isSubnetEnv(text)
      ? { path, content: 'subnet', subnets: parseSubnets(text), networks: parseNetworks(text), ...beside }
      : { ...nothing, content: 'other' }
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return nothing
    if (error instanceof NoRegularFileError) return { ...nothing, content: 'other' }
    throw error
  }
}

/** A socket that nobody listens at any more; one of an agent in another network namespace that shares the folder is not ours to take. */
async function leftSocket(path: string): Promise<string | undefined> {
  const found = await lstat(path).catch(() => undefined)
  return found?.isSocket() === true && listenerOf(path) === 'ECONNREFUSED' ? path : undefined
}
