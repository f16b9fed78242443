/** `npm run demo`: containers on several hosts reach each other over VXLAN, and one sees how. */
import { once } from 'node:events'
import type { VxlanPacket } from './capture.ts'
import { parseDemoOptions, USAGE, UsageError, type DemoOptions } from './demo-options.ts'
import { describePacket, howToEnter, pingMatrix, Report } from './demo-report.ts'
import * as steps from './demo-steps.ts'
import type { LabHost } from './host.ts'
import { ETCD_PREFIX, Lab } from './lab.ts'
import type { PingResult } from './ping.ts'

const SHOWN_PACKETS = 6

interface DemoResult {
  readonly hosts: number
  readonly pings: PingResult
  readonly vxlan: { readonly vni: number; readonly port: number; readonly packets: number }
  readonly convergedMs: number
}

async function showLeases(lab: Lab, report: Report): Promise<void> {
  report.section('Leases: one subnet per host')
  const args = ['get', '--prefix', `${ETCD_PREFIX}/subnets`]
  report.command(`$ etcdctl ${args.join(' ')}`, await lab.etcdctl(...args))
}

async function showKernel(host: LabHost, report: Report): Promise<void> {
  const show = async (command: string, ...args: string[]): Promise<void> => {
    report.command(`${host.name}# ${[command, ...args].join(' ')}`, await host.place.exec(command, args))
  }
  const device = steps.DEMO_DEVICE
  report.section(`The device on ${host.name}`)
  await show('ip', '-d', 'link', 'show', device)
  report.section('Its three tables: who has which MAC, where that MAC lives, what is routed there')
  await show('ip', 'neighbour', 'show', 'dev', device)
  await show('bridge', 'fdb', 'show', 'dev', device)
  await show('ip', 'route', 'show', 'dev', device)
}

/** Pings between all containers, with the switch watched meanwhile. */
async function showTraffic(lab: Lab, report: Report): Promise<{ pings: PingResult; packets: number }> {
  report.section('Pings between every pair of containers (rows ping, columns answer)')
  const capture = await lab.capture(steps.DEMO_PORT)
  const pairs = await steps.pingAll(lab)
  report.line(pingMatrix(lab.hosts.length, pairs))
  report.section('What the underlay saw')
  const packets = (await capture.stop()).filter(isDemoPing)
  for (const packet of steps.distinctPackets(packets).slice(0, SHOWN_PACKETS)) report.line(describePacket(packet))
  report.line(`… ${packets.length} packets of VXLAN network ${steps.DEMO_VNI} with a ping inside`)
  return { pings: steps.total(pairs), packets: packets.length }
}

const isDemoPing = ({ vni, port, icmpType }: VxlanPacket): boolean =>
  vni === steps.DEMO_VNI && port === steps.DEMO_PORT && icmpType !== undefined

async function show(lab: Lab, report: Report): Promise<DemoResult> {
  report.section('Network configuration')
  await lab.putConfig(steps.DEMO_CONFIG)
  report.command(`$ etcdctl get ${ETCD_PREFIX}/config`, await lab.etcdctl('get', `${ETCD_PREFIX}/config`))
  report.section(`Starting ${lab.hosts.length} agents`)
  const convergedMs = await steps.startAndConverge(lab)
  report.line(`every host knows every other one after ${convergedMs} ms`)
  await showLeases(lab, report)
  await showKernel(lab.host(0), report)
  const { pings, packets } = await showTraffic(lab, report)
  report.section(pings.received === pings.sent ? 'All pings answered' : 'PINGS WERE LOST')
  report.line(`${pings.received} of ${pings.sent} pings, ${packets} VXLAN packets, converged in ${convergedMs} ms`)
  return {
    hosts: lab.hosts.length,
    pings,
    vxlan: { vni: steps.DEMO_VNI, port: steps.DEMO_PORT, packets },
    convergedMs,
  }
}

async function leaveRunning(lab: Lab, report: Report): Promise<void> {
  report.section('Left running until Ctrl-C. To enter, from another shell')
  report.line(howToEnter(lab))
  const forever = setInterval(() => undefined, 60_000)
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  clearInterval(forever)
}

async function demo(options: DemoOptions): Promise<number> {
  const report = new Report(options.json ? process.stderr : process.stdout)
  report.section(`A switch, etcd and ${options.hosts} hosts`)
  const lab = await Lab.create({ hosts: options.hosts })
  try {
    const result = await show(lab, report)
    if (options.json) console.log(JSON.stringify(result))
    if (options.keep) await leaveRunning(lab, report)
    return result.pings.received === result.pings.sent && result.vxlan.packets > 0 ? 0 : 1
  } catch (error) {
    report.line(await lab.logs())
    throw error
  } finally {
    await lab.close()
  }
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseDemoOptions(args)
  if (!options.help) return demo(options)
  console.log(USAGE)
  return 0
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const isUsage = error instanceof UsageError
  console.error(isUsage ? `${error.message}\n\n${USAGE}` : error)
  process.exitCode = isUsage ? 2 : 1
}
