/** `npm run demo -- --backend udp`: the same hosts, whose packets the agents carry as UDP datagrams. */
import type { Report } from './demo-report.ts'
import { pingMatrix } from './demo-report.ts'
import * as steps from './demo-steps.ts'
import type { LabHost } from './host.ts'
import { numberAt, objectAt, objectsAt, parseObject, textAt, type JsonObject } from './json.ts'
import type { Lab } from './lab.ts'
import type { PingResult } from './ping.ts'
import { agentCall } from './program.ts'
import { waitFor } from './wait-for.ts'

export interface UdpResult {
  readonly hosts: number
  readonly pings: PingResult
  /** Packets that the agents have carried to peers. */
  readonly udp: { readonly port: number; readonly packets: number }
  readonly convergedMs: number
}

const CONFIG = steps.DEMO_CONFIG.replace(/"Backend":.*/, '"Backend":{"Type":"udp"}}')
const DEVICE = 'flannel0'
const PORT = 8285
const CONVERGENCE_DEADLINE_MS = 30_000

const asked = async ({ place }: LabHost, ...args: readonly string[]): Promise<JsonObject> =>
  parseObject((await place.attempt(...agentCall(...args, '--json'))).stdout)

async function knowsAll(host: LabHost, hostCount: number): Promise<boolean> {
  if (!(await host.subnetFile()) || !(await host.link(DEVICE))) return false
  if (objectsAt(await asked(host, 'peers'), 'peers').length < hostCount - 1) return false
  // what is known of peers is with the forwarder a moment later, on a busy machine seconds
  const status = await asked(host, 'status')
  return textAt(status, 'state') !== 'unready' && numberAt(objectAt(status, 'pending'), 'total') === 0
}

/** Starts all agents at once. @returns milliseconds until the last one knew all others */
async function startAndConverge(lab: Lab): Promise<number> {
  const startedAt = performance.now()
  for (const { agent } of lab.hosts) agent.start()
  await Promise.all(
    lab.hosts.map((host) =>
      waitFor(`${host.name} to know all others`, () => knowsAll(host, lab.hosts.length), {
        deadlineMs: CONVERGENCE_DEADLINE_MS,
        everyMs: 50,
      }),
    ),
  )
  return Math.round(performance.now() - startedAt)
}

async function carried(host: LabHost): Promise<number> {
  const [family] = objectsAt(await asked(host, 'status'), 'families')
  return numberAt(objectAt(objectAt(family ?? {}, 'device'), 'forwarder'), 'sentPackets') ?? 0
}

/** The whole walk, for a laboratory that has nothing in its etcd yet. */
export async function showUdp(lab: Lab, report: Report): Promise<UdpResult> {
  const [host] = lab.hosts
  if (host === undefined) throw new RangeError('no hosts')
  const show = async (...line: readonly [string, ...string[]]): Promise<void> => {
    const [command, ...args] = line
    report.command(`${host.name}# ${line.join(' ')}`, await host.place.exec(command, args))
  }
  await lab.putConfig(CONFIG)
  report.section(`Starting ${lab.hosts.length} agents with ${CONFIG}`)
  const convergedMs = await startAndConverge(lab)
  report.line(`every host knows every other one after ${convergedMs} ms`)
  report.section(`The device ${DEVICE} on ${host.name}, and its one route`)
  await show('ip', '-d', 'link', 'show', DEVICE)
  await show('ip', 'route', 'show', 'dev', DEVICE)
  await steps.addContainers(lab)
  report.section('Pings between every pair of containers (rows ping, columns answer)')
  const pairs = await steps.pingAll(lab, 4)
  report.line(pingMatrix(lab.hosts.length, pairs))
  const pings = steps.total(pairs)
  const counts = await Promise.all(lab.hosts.map(carried))
  const packets = counts.reduce((sum, count) => sum + count, 0)
  report.section(pings.received === pings.sent ? 'All pings answered' : 'PINGS WERE LOST')
  report.line(`${pings.received} of ${pings.sent} pings, ${packets} datagrams, converged in ${convergedMs} ms`)
  return { hosts: lab.hosts.length, pings, udp: { port: PORT, packets }, convergedMs }
}
