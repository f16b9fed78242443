import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ApiServer } from '../../kube/server/api-server.ts'
import { equip, HOST_FLAGS, startApiServer } from '../../kube/server/host-agent.ts'
import { kubePrograms } from '../../kube/server/programs.ts'
import { Lab, type LabHost } from '../../lab/index.ts'
import { AgentProcess } from '../agent-process.ts'
import { benchPeers, CONFIG, type BenchPeer } from '../peers.ts'
import { processorMs, residentBytes } from '../processor.ts'
import { EXECUTABLE, ROOT } from '../programs.ts'
import { median } from '../statistics.ts'
import { expectExact, removeDevice } from '../tables.ts'

/** Starts of one agent beside so many Nodes: medians. */
export interface NodesMeasured {
  readonly nodes: number
  /** From its execution until all are programmed and the subnet file stands, in seconds. */
  readonly startSeconds: number
  /** Of a processor until then. */
  readonly processorSeconds: number
  /** Of that of the API server meanwhile: a real one has a machine of its own. */
  readonly serverSeconds: number
  /** Resident memory once what a start takes was given back, in MB. */
  readonly residentMB: number
}

/** Given back within half a minute ([memory](../../../docs/kubernetes.md#memory)). */
const GIVEN_BACK_AFTER_MS = 35_000
const MB = 1_000_000
const PREFIX = 'flannel.alpha.coreos.com'
/** What it is told in one request to `kubectl`. */
const AT_ONCE = 500
/** As a kubelet reports images: most of what a Node has. */
const IMAGES = Array.from({ length: 45 }, (_, at) => ({
  names: [
    `registry.example/team/image-${at}@sha256:${'0123456789abcdef'.repeat(4)}`,
    `registry.example/team/image-${at}:v1.${at}`,
  ],
  sizeBytes: 100_000_000 + at,
}))

/** One of some 10 KB, as somebody's agent has it. */
const nodeOf = ({ base, publicIp, mac }: BenchPeer, at: number): object => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: `node-${at}`,
    annotations: {
      [`${PREFIX}/kube-subnet-manager`]: 'true',
      [`${PREFIX}/backend-type`]: 'vxlan',
      [`${PREFIX}/backend-data`]: JSON.stringify({ VNI: CONFIG.Backend.VNI, VtepMAC: mac }),
      [`${PREFIX}/public-ip`]: publicIp,
    },
  },
  spec: { podCIDR: `${base}/24`, podCIDRs: [`${base}/24`] },
  status: { images: IMAGES },
})

async function addNodes(server: ApiServer, peers: readonly BenchPeer[], from: number): Promise<void> {
  for (let at = from; at < peers.length; at += AT_ONCE) {
    const items = peers.slice(at, at + AT_ONCE).map((peer, index) => nodeOf(peer, at + index))
    await server.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
  }
}

/** Measures an agent beside one Node, and beside so many: the same host, a Node made anew for each start. */
export async function measureNodes(
  nodes: number,
  runs: number,
  say: (line: string) => void,
): Promise<readonly NodesMeasured[]> {
  const programs = await kubePrograms()
  if (typeof programs === 'string') throw new Error(programs)
  const folder = mkdtempSync(join(ROOT, '.cache/scale-'))
  const lab = await Lab.create({ hosts: 1, health: false })
  let server: ApiServer | undefined
  try {
    server = await startApiServer(programs, lab.etcd.endpoints)
    await equip(server, lab.hosts, CONFIG)
    const peers = benchPeers(nodes)
    const measured: NodesMeasured[] = []
    for (const [count, from] of [
      [1, 0],
      [nodes, 1],
    ] as const) {
      say(`making ${count} Nodes`)
      await addNodes(server, peers.slice(0, count), from)
      const starts: NodesMeasured[] = []
      for (let run = 0; run <= runs; run++) {
        say(`${count} Nodes: start ${run} of ${runs}`)
        starts.push(await startOnce({ lab, server, folder, peers: peers.slice(0, count) }))
      }
      measured.push(medianOf(starts.slice(1))) // the first one warms up
    }
    return measured
  } finally {
    await server?.close()
    await lab.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Scene {
  readonly lab: Lab
  readonly server: ApiServer
  readonly folder: string
  readonly peers: readonly BenchPeer[]
}

async function startOnce({ lab, server, folder, peers }: Scene): Promise<NodesMeasured> {
  const host: LabHost = lab.host(0)
  await server.addNode(host.name, ['10.254.0.0/24'])
  const serverBeforeMs = processorMs(server.pid ?? 0)
  const agent = new AgentProcess({ lab, host, folder, flags: HOST_FLAGS }, [
    'env',
    `NODE_NAME=${host.name}`,
    EXECUTABLE,
  ])
  const startSeconds = (await agent.ready()) / 1_000
  agent.freeze()
  const processorSeconds = processorMs(agent.pid) / 1_000
  const serverSeconds = (processorMs(server.pid ?? 0) - serverBeforeMs) / 1_000
  await expectExact(host.place, peers, 'after a start')
  agent.thaw()
  await delay(GIVEN_BACK_AFTER_MS)
  const residentMB = residentBytes(agent.pid) / MB
  await agent.stop()
  await removeDevice(host.place)
  await server.kubectl(['delete', 'node', host.name])
  return { nodes: peers.length, startSeconds, processorSeconds, serverSeconds, residentMB }
}

function medianOf(starts: readonly NodesMeasured[]): NodesMeasured {
  const of = (pick: (start: NodesMeasured) => number): number => median(starts.map(pick))
  return {
    nodes: starts[0]?.nodes ?? 0,
    startSeconds: of((start) => start.startSeconds),
    processorSeconds: of((start) => start.processorSeconds),
    serverSeconds: of((start) => start.serverSeconds),
    residentMB: of((start) => start.residentMB),
  }
}
