/** `npm run demo`: containers on several hosts reach each other over VXLAN, and one sees how. */
import { once } from 'node:events'
import type { VxlanPacket } from './capture.ts'
import { parseDemoOptions, USAGE, UsageError, type DemoOptions } from './demo-options.ts'
import { NAMED_AGENT, prepareKube, showAnnotations, type KubeDemo } from './demo-kube.ts'
import { showUdp, type UdpResult } from './demo-udp.ts'
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
  /** With --ipv6: the same over the other family. */
  readonly ipv6?: Traffic
}

interface Traffic {
  readonly pings: PingResult
  readonly packets: number
}

async function showLeases(lab: Lab, report: Report): Promise<void> {
  report.section('Leases: one subnet per host')
  const args = ['get', '--prefix', `${ETCD_PREFIX}/subnets`]
  report.command(`$ etcdctl ${args.join(' ')}`, await lab.etcdctl(...args))
}

async function showKernel(host: LabHost, device: string, report: Report): Promise<void> {
  const ip = device === steps.DEMO_DEVICE6 ? ['ip', '-6'] : ['ip']
  const show = async (...line: readonly string[]): Promise<void> => {
    const [command = '', ...args] = line
    report.command(`${host.name}# ${[command, ...args].join(' ')}`, await host.place.exec(command, args))
  }
  report.section(`The device ${device} on ${host.name}`)
  await show('ip', '-d', 'link', 'show', device)
  report.section('Its three tables: who has which MAC, where that MAC lives, what is routed there')
  await show(...ip, 'neighbour', 'show', 'dev', device)
  await show('bridge', 'fdb', 'show', 'dev', device)
  await show(...ip, 'route', 'show', 'dev', device)
}

/** Pings between all containers, with the switch watched meanwhile. */
async function showTraffic(lab: Lab, family: 4 | 6, report: Report): Promise<Traffic> {
  report.section(`IPv${family} pings between every pair of containers (rows ping, columns answer)`)
  const capture = await lab.capture(steps.DEMO_PORT)
  const pairs = await steps.pingAll(lab, family)
  report.line(pingMatrix(lab.hosts.length, pairs))
  report.section('What the underlay saw')
  const containers = new Set(lab.hosts.flatMap((host) => host.containers.flatMap((one) => [one.address, one.address6])))
  const packets = (await capture.stop()).filter(
    (packet) => isDemoPing(packet) && containers.has(packet.innerSource) && containers.has(packet.innerDestination),
  )
  for (const packet of steps.distinctPackets(packets).slice(0, SHOWN_PACKETS)) report.line(describePacket(packet))
  report.line(`… ${packets.length} packets of VXLAN network ${steps.DEMO_VNI} with a ping inside`)
  return { pings: steps.total(pairs), packets: packets.length }
}

/** The agents' own questions to their peers are pings as well, but none of containers. */
const isDemoPing = ({ vni, port, icmpType }: VxlanPacket): boolean =>
  vni === steps.DEMO_VNI && port === steps.DEMO_PORT && ECHO.has(icmpType)

/** Echo requests and replies of both families (RFC 792, RFC 4443). */
const ECHO: ReadonlySet<number | undefined> = new Set([8, 0, 128, 129])

async function startWithEtcd(lab: Lab, ipv6: boolean, report: Report): Promise<number> {
  report.section('Network configuration')
  await lab.putConfig(ipv6 ? steps.DEMO_CONFIG_DUAL : steps.DEMO_CONFIG)
  report.command(`$ etcdctl get ${ETCD_PREFIX}/config`, await lab.etcdctl('get', `${ETCD_PREFIX}/config`))
  const convergedMs = await start(lab, ipv6, report)
  await showLeases(lab, report)
  return convergedMs
}

async function start(lab: Lab, ipv6: boolean, report: Report, flags?: readonly string[]): Promise<number> {
  report.section(`Starting ${lab.hosts.length} agents`)
  const convergedMs = await steps.startAndConverge(lab, ipv6, flags)
  report.line(`every host knows every other one after ${convergedMs} ms`)
  return convergedMs
}

async function show(lab: Lab, options: DemoOptions, kube: KubeDemo | undefined, report: Report): Promise<DemoResult> {
  const { ipv6 } = options
  const convergedMs =
    kube === undefined ? await startWithEtcd(lab, ipv6, report) : await start(lab, ipv6, report, kube.flags)
  if (kube !== undefined) await showAnnotations(kube, report)
  await showKernel(lab.host(0), steps.DEMO_DEVICE, report)
  if (ipv6) await showKernel(lab.host(0), steps.DEMO_DEVICE6, report)
  await steps.addContainers(lab)
  const { pings, packets } = await showTraffic(lab, 4, report)
  const traffic6 = ipv6 ? await showTraffic(lab, 6, report) : undefined
  report.section([pings, traffic6?.pings ?? pings].every(isComplete) ? 'All pings answered' : 'PINGS WERE LOST')
  report.line(`${pings.received} of ${pings.sent} pings, ${packets} VXLAN packets, converged in ${convergedMs} ms`)
  return {
    hosts: lab.hosts.length,
    pings,
    vxlan: { vni: steps.DEMO_VNI, port: steps.DEMO_PORT, packets },
    convergedMs,
    ...(traffic6 && { ipv6: traffic6 }),
  }
}

const isComplete = ({ sent, received }: PingResult): boolean => received === sent

async function leaveRunning(lab: Lab, kube: KubeDemo | undefined, report: Report): Promise<void> {
  report.section('Left running until Ctrl-C. To enter, from another shell')
  report.line(howToEnter(lab, kube?.server.kubectlCall()))
  const forever = setInterval(() => undefined, 60_000)
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  clearInterval(forever)
}

async function demo(options: DemoOptions): Promise<number> {
  const report = new Report(options.json ? process.stderr : process.stdout)
  report.section(`A switch, etcd and ${options.hosts} hosts`)
  const named = options.kubernetes ? { agentCommand: NAMED_AGENT } : {}
  const lab = await Lab.create({ hosts: options.hosts, health: false, ...named })
  let kube: KubeDemo | undefined
  try {
    if (options.kubernetes) kube = await prepareKube(lab, options.ipv6, report)
    const result = options.backend === 'udp' ? await showUdp(lab, report) : await show(lab, options, kube, report)
    if (options.json) console.log(JSON.stringify(result))
    if (options.keep) await leaveRunning(lab, kube, report)
    return trafficOf(result).every(({ pings, packets }) => isComplete(pings) && packets > 0) ? 0 : 1
  } catch (error) {
    report.line(await lab.logs())
    throw error
  } finally {
    await kube?.server.close()
    await lab.close()
  }
}

function trafficOf(result: DemoResult | UdpResult): readonly Traffic[] {
  const { pings } = result
  if ('udp' in result) return [{ pings, packets: result.udp.packets }]
  return [{ pings, packets: result.vxlan.packets }, ...(result.ipv6 ? [result.ipv6] : [])]
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
