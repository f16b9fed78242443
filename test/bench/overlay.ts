import { execFileSync } from 'node:child_process'
import { systemClock } from '../../src/host/system-clock.ts'
import { parseNetworkConfig } from '../../src/config/network.ts'
import { encodeLease, formatLeaseKey } from '../../src/lease/codec.ts'
import { PeerTable, type PeerChange } from '../../src/lease/peers/peer-table.ts'
import type { LeaseRecord } from '../../src/lease/store.ts'
import { ip } from '../../src/net/ip.ts'
import { mac, type Mac } from '../../src/net/mac.ts'
import { subnetAt } from '../../src/net/prefix.ts'
import { RtnetlinkKernel } from '../../src/netlink/rtnetlink-kernel.ts'
import type { PeerEntries } from '../../src/reconcile/entries.ts'
import { Reconciler, type PassReport } from '../../src/reconcile/reconciler.ts'
import { encodeVtepData } from '../../src/backend/vxlan/backend-data.ts'
import { backendJudge } from '../../src/backend/judge.ts'
import { vxlanBackend } from '../../src/backend/vxlan/backend.ts'
import type { Vtep } from '../../src/backend/vxlan/vtep.ts'

const DEVICE = 'flannel.100'
const { overlays, backend: VXLAN } = parseNetworkConfig('{"Network":"10.0.0.0/8","SubnetLen":24,"Backend":{"VNI":100}}')
const [OVERLAY] = overlays
if (OVERLAY === undefined || VXLAN.type !== 'vxlan') throw new Error('no overlay of vxlan in the configuration')
const overlay = OVERLAY
const config = VXLAN

const hex = (octet: number): string => (octet & 0xff).toString(16).padStart(2, '0')
const macOf = (index: number): Mac => mac(`02:00:00:${hex(index >> 16)}:${hex(index >> 8)}:${hex(index)}`)

const ownVtep: Vtep = { family: 4, vni: 100, mac: macOf(0), subnet: subnetAt(overlay.network, 24, 1n), overlay }

/** Leases of `count` peers, as they stand in etcd. */
export function leasesOf(count: number): readonly LeaseRecord[] {
  return Array.from({ length: count }, (_, at) => {
    const index = at + 1
    const subnet = subnetAt(overlay.network, overlay.subnetLength, BigInt(index + 1))
    const publicIp = ip(`172.${16 + (index >> 16)}.${(index >> 8) & 0xff}.${index & 0xff}`)
    const backendData = encodeVtepData(100, macOf(index))
    const value = encodeLease({ backendType: 'vxlan', families: [{ family: 4, subnet, publicIp, backendData }] })
    return {
      key: formatLeaseKey([subnet]),
      value,
      etcdLeaseId: '1',
      createRevision: BigInt(index),
      modRevision: BigInt(index),
    }
  })
}

/** A new, empty VXLAN device, made by iproute2. */
export function freshDevice(): void {
  try {
    execFileSync('ip', ['link', 'del', DEVICE], { stdio: 'ignore' })
  } catch {
    // there was none
  }
  execFileSync('ip', [
    'link',
    'add',
    DEVICE,
    'type',
    'vxlan',
    'id',
    '100',
    'dstport',
    '8472',
    'nolearning',
    'local',
    '127.0.0.1',
  ])
  execFileSync('ip', ['addr', 'add', `${ownVtep.subnet.base.text}/32`, 'dev', DEVICE])
  execFileSync('ip', ['link', 'set', DEVICE, 'up'])
}

/** Index of the device, by which messages name it. */
export const deviceIndex = (): number =>
  parseInt(execFileSync('ip', ['-o', 'link', 'show', DEVICE], { encoding: 'utf8' }))

export interface Measured {
  /** From lease records to entries: decoding, judging, resolving claims. */
  readonly judgeMs: number
  /** From entries to the kernel's tables: reading them, comparing, sending, every answer read. */
  readonly programMs: number
  readonly report: PassReport
  /** Write requests sent to the kernel. */
  readonly writes: number
}

export function judge(records: readonly LeaseRecord[]): readonly Pick<PeerChange<PeerEntries>, 'key' | 'entries'>[] {
  const around = {
    overlays: [overlay],
    own: [ownVtep.subnet],
    interfaceOf: () => undefined,
    ownPublicIps: [],
    protectedPrefixes: [],
  }
  const peers = new PeerTable(
    backendJudge({ backends: [vxlanBackend({ vtep: ownVtep, config })], ownKey: 'own', limits: () => around }),
  )
  peers.replaceAll(records)
  return peers.drain().map(({ key, entries }) => ({ key, entries: entries?.get(4) }))
}

/** Our way: lease records are judged, compared with the kernel's tables and programmed. */
export async function program(records: readonly LeaseRecord[]): Promise<Measured> {
  const kernel = new RtnetlinkKernel()
  const { signal } = new AbortController()
  try {
    const link = await kernel.link(DEVICE, signal)
    if (link === undefined) throw new Error(`${DEVICE} is missing`)
    const startedMs = performance.now()
    const changes = judge(records)
    const judgedMs = performance.now()
    const reconciler = new Reconciler(kernel, [4], systemClock, Math.random)
    for (const { key, entries } of changes) reconciler.setPeer(key, entries)
    reconciler.allowPruning()
    reconciler.attach(link.index)
    const report = await reconciler.pass(signal)
    const programMs = performance.now() - judgedMs
    return { judgeMs: judgedMs - startedMs, programMs, report, writes: kernel.stats().writes }
  } finally {
    kernel.close()
  }
}

/** The same entries as lines for `ip -batch` and `bridge -batch`. */
export function batchLines(records: readonly LeaseRecord[]): { readonly ip: string; readonly bridge: string } {
  const all = judge(records).flatMap(({ entries }) => entries ?? [])
  const ipLines = all.flatMap(({ onDevice: { neighbours, routes } }) => [
    ...neighbours.map((row) => `neigh replace ${row.ip.text} lladdr ${row.mac} dev ${DEVICE} nud permanent`),
    ...routes.map(
      (row) =>
        `route replace ${row.destination.text} via ${row.gateway?.text ?? ''} dev ${DEVICE} onlink metric ${row.metric} proto 70`,
    ),
  ])
  const bridgeLines = all.flatMap(({ onDevice }) =>
    onDevice.fdb.map((row) => `fdb replace ${row.mac} dev ${DEVICE} dst ${row.remote.text} self permanent`),
  )
  return { ip: ipLines.join('\n'), bridge: bridgeLines.join('\n') }
}

/** Rows of each table, as iproute2 counts them. */
export function countRows(): { readonly neighbours: number; readonly fdb: number; readonly routes: number } {
  const lines = (command: string, ...args: string[]): number =>
    execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 })
      .split('\n')
      .filter(Boolean).length
  return {
    neighbours: lines('ip', '-4', 'neigh', 'show', 'dev', DEVICE, 'nud', 'permanent'),
    fdb: lines('bridge', 'fdb', 'show', 'dev', DEVICE),
    routes: lines('ip', '-4', 'route', 'show', 'dev', DEVICE, 'proto', '70'),
  }
}
