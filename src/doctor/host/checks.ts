import { bridgeProblems } from '../../host/container-bridge.ts'
import { sumOfColumn } from '../../host/per-processor.ts'
import type { StatusDocument } from '../../status/document.ts'
import type { Check, Finding } from '../finding.ts'
import type { HostReads, OverlayHere, View } from '../view.ts'
import { judgeBridge } from './bridge.ts'
import { judgeConntrack } from './conntrack.ts'
import { judgeOwnRules, judgeRules, judgeUnread } from './firewall.ts'
import { isProcSysReadOnly, judgeForwarding, judgeForwardingFrom } from './forwarding.ts'
import { neighbourTables } from './neighbours.ts'
import { judgeService, readUnit, stateIn } from './service.ts'
import { judgeSubnetFile, subnetsIn } from './subnet-file.ts'
import { judgeVxlan } from './vxlan.ts'

const SYSCTL = '/proc/sys'
const FORWARDING = {
  4: { setting: 'net.ipv4.ip_forward', path: `${SYSCTL}/net/ipv4/ip_forward` },
  6: { setting: 'net.ipv6.conf.all.forwarding', path: `${SYSCTL}/net/ipv6/conf/all/forwarding` },
} as const

/** What the agent's writing to /proc/sys fails with where that is read-only. */
const UNWRITABLE: ReadonlySet<string> = new Set(['EROFS', 'EACCES', 'EPERM'])

const numberAt = async (host: HostReads, path: string): Promise<number | undefined> => {
  const text = await host.text(path)
  return text === undefined || text === '' ? undefined : Number(text)
}

async function lookAtForwarding(view: View): Promise<readonly Finding[]> {
  const { host } = view
  const here = (await view.overlay()).filter(({ device }) => device !== undefined)
  const mounts = (await host.text('/proc/self/mounts')) ?? ''
  const conditions = (await view.agent())?.conditions ?? []
  const found: Finding[] = []
  for (const family of new Set(here.map((one) => one.family))) {
    const { setting, path } = FORWARDING[family]
    const code = conditions.find(({ what }) => what === setting)?.fault?.code ?? ''
    const isReadOnly = UNWRITABLE.has(code) || isProcSysReadOnly(mounts)
    const facts = { setting, value: await host.text(path), isReadOnly }
    found.push(...judgeForwarding(facts))
  }
  if (found.length > 0) return found
  for (const link of await inboundLinks(host, here))
    found.push(...judgeForwardingFrom(link, await host.text(`${SYSCTL}/net/ipv4/conf/${link}/forwarding`)))
  return found
}

/** Of IPv4 each interface has a setting of its own: that of the overlay's device, and of the bridge of our containers. */
async function inboundLinks(host: HostReads, here: readonly OverlayHere[]): Promise<readonly string[]> {
  const devices = here.flatMap(({ family, device }) => (family === 4 && device !== undefined ? [device.name] : []))
  const names = await host.names(`${SYSCTL}/net/ipv4/conf`)
  return [...devices, 'cni0', 'docker0'].filter((name) => names.includes(name))
}

async function lookAtConntrack({ host }: View): Promise<readonly Finding[]> {
  const entries = await numberAt(host, `${SYSCTL}/net/netfilter/nf_conntrack_count`)
  const most = await numberAt(host, `${SYSCTL}/net/netfilter/nf_conntrack_max`)
  if (entries === undefined || most === undefined) return []
  const drops = sumOfColumn((await host.text('/proc/net/stat/nf_conntrack')) ?? '', 'drop') ?? 0
  return judgeConntrack({ entries, most, drops })
}

async function lookAtRules(view: View): Promise<readonly Finding[]> {
  const [verdicts, agent] = [await view.host.verdicts(), await view.agent()]
  const flag = agent?.configuration?.flags['iptables-forward-rules']
  return verdicts === undefined ? [] : judgeRules(verdicts, flag !== 'false')
}

/** What the agent, which may read more than we, says of its own rules, and of others' where we cannot read them. */
async function lookAtRulesOfAgent(view: View): Promise<readonly Finding[]> {
  const conditions = (await view.agent())?.conditions ?? []
  const own = conditions.flatMap(judgeOwnRules)
  const verdicts = await view.host.verdicts().catch(() => undefined)
  return verdicts === undefined ? [...own, ...conditions.flatMap(judgeUnread)] : own
}

async function lookAtBridges(view: View, signal: AbortSignal): Promise<readonly Finding[]> {
  const { host } = view
  const parts = (await view.overlay()).flatMap(({ family, network, subnet, device }) =>
    network === undefined || device === undefined ? [] : [{ family, network, subnet, device: device.name }],
  )
  if (parts.length === 0) return []
  const links = await host.kernel.links(signal)
  return bridgeProblems(parts, { links, addresses: await host.kernel.addresses(signal) }).map(judgeBridge)
}

async function lookAtVxlan(view: View): Promise<readonly Finding[]> {
  const { host } = view
  const agent = await view.agent()
  if (!mayNeedVxlan(agent)) return []
  const condition = agent?.conditions.find(({ what }) => what.startsWith('device '))
  const isLoaded = (await host.names('/sys/module/vxlan')).length > 0
  if (isLoaded && condition === undefined) return []
  const ran = await host.show('modprobe', '-n', '-v', 'rtnl-link-vxlan')
  return judgeVxlan({
    release: (await host.text(`${SYSCTL}/kernel/osrelease`)) ?? '',
    isLoaded,
    dryRun: ran && { code: ran.code, output: `${ran.stdout}${ran.stderr}` },
    fault: condition?.fault ?? undefined,
    condition: condition?.what,
  })
}

const mayNeedVxlan = (agent: StatusDocument | undefined): boolean =>
  agent === undefined || agent.configuration === null || agent.configuration.backend.type === 'vxlan'

/** Where --subnet-file names none. */
const SUBNET_FILE = '/run/flannel/subnet.env'

async function lookAtSubnetFile(view: View): Promise<readonly Finding[]> {
  const agent = await view.agent()
  if (agent === undefined) return []
  const path = agent.configuration?.flags['subnet-file'] ?? SUBNET_FILE
  const text = await view.host.text(path)
  return judgeSubnetFile({
    path,
    says: text === undefined ? undefined : subnetsIn(text),
    leased: agent.lease?.subnets,
    condition: agent.conditions.find(({ what }) => what === 'subnet file'),
  })
}

const UNIT = [
  ...['LoadState', 'ActiveState', 'SubState', 'Result', 'ExecMainStatus', 'NRestarts', 'UnitFileState'],
  ...['User', 'AmbientCapabilities', 'CapabilityBoundingSet'],
].join(',')
const LAST_WORDS = '3'

async function lookAtService(view: View): Promise<readonly Finding[]> {
  if ((await view.agent()) !== undefined) return []
  const shown = await view.host.show('systemctl', 'show', 'flanneld.service', `--property=${UNIT}`)
  const unit = readUnit(shown?.stdout ?? '')
  const journal =
    unit.size === 0
      ? undefined
      : await view.host.show('journalctl', '-u', 'flanneld', '-n', LAST_WORDS, '-o', 'cat', '--no-pager')
  const lastWords = journal?.code === 0 ? journal.stdout.split('\n').filter((line) => line.trim() !== '') : []
  const pid = view.claim
  const stat = pid === undefined ? undefined : await view.host.text(`/proc/${pid}/stat`)
  return judgeService({ unit, pid, isSilent: await view.isAgentSilent(), state: stateIn(stat ?? ''), lastWords })
}

/** What this host does to the overlay by its settings, its firewall, its modules, and by not running the agent. */
export const HOST_CHECKS: readonly Check<View>[] = [
  { name: 'the agent', look: lookAtService },
  { name: 'forwarding', look: lookAtForwarding },
  { name: "the agent's rules of the firewall", look: lookAtRulesOfAgent },
  { name: 'rules of the firewall', look: lookAtRules },
  { name: 'bridges of containers', look: lookAtBridges },
  { name: 'table of connections', look: lookAtConntrack },
  neighbourTables,
  { name: 'VXLAN in the kernel', look: lookAtVxlan },
  { name: 'subnet file', look: lookAtSubnetFile },
]
