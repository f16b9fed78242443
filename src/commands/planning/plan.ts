import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { CommandCall } from '../../cli/commands.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { PLAN, PLAN_CONFIG } from '../../cli/specs/plan.ts'
import { requireNode } from '../../cli/kube-access.ts'
import type { KubeAccess } from '../../config/options.ts'
import { parseNetworkConfig } from '../../config/network.ts'
import type { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import { runTool } from '../../firewall/command.ts'
import { LinuxFirewall } from '../../firewall/linux-firewall.ts'
import { NftPeerFilter } from '../../firewall/peer-filter/nft-peer-filter.ts'
import { deriveCopyId, deriveVtepMac, NoIdentityError, readNodeId } from '../../host/identity.ts'
import { systemClock } from '../../host/system-clock.ts'
import { resolveHost } from '../../host/resolve.ts'
import { readResolvers } from '../../host/resolvers.ts'
import { readSysctl } from '../../host/sysctl.ts'
import { NetConfigFile } from '../../kube/net-config/net-config-file.ts'
import { StoreError, type ConfigRecord } from '../../lease/store.ts'
import { RtnetlinkKernel } from '../../netlink/rtnetlink-kernel.ts'
import type { NodesAtRest } from '../../plan/planned-nodes.ts'
import { isReadingFiles } from '../../plan/stillness.ts'
import { planFor, type PlanPorts } from '../../plan/plan.ts'
import { asJson, asking, type Asking, type Said } from '../asking/asking.ts'
import { Progress } from '../asking/terminal.ts'
import { readText } from '../settings/read-text.ts'
import { daemonSettings, type DaemonSettings } from '../settings/daemon-settings.ts'
import { withNodes } from '../settings/open-kube.ts'
import { withStore } from '../settings/open-store.ts'
import { consequences, type Consequences } from '../../admin/consequences.ts'
import { planDocument, showPlan } from '../../admin/show/plan.ts'

/** `flanneld plan`. */
export const run = (call: CommandCall): Promise<number> => asking(PLAN, call, plan)

async function plan(asked: Asking): Promise<Said> {
  const settings = daemonSettings(asked.own)
  const path = asked.value(PLAN_CONFIG)
  const given = path === undefined ? undefined : await readText(path, '--config')
  if (given !== undefined) parseNetworkConfig(given, path)
  try {
    const complain = (text: string): void => {
      asked.complain(text)
    }
    const { kube } = settings.options
    if (kube !== undefined) return await planByNodes(asked, settings, kube, given)
    return await withStore({ ...settings.options, from: settings.from }, complain, (store) =>
      planByLeases(asked, settings, store, given),
    )
  } catch (error) {
    if (!(error instanceof NoIdentityError)) throw error
    asked.complain(error.message)
    return { text: '', code: EXIT.usage }
  }
}

async function planByLeases(
  asked: Asking,
  settings: DaemonSettings,
  store: EtcdLeaseStore,
  given: string | undefined,
): Promise<Said> {
  const { signal } = asked
  const progress = new Progress()
  progress.say('reading etcd')
  const standing = await store.readConfig(signal)
  const list = await store.list(signal)
  progress.end()
  const config: ConfigRecord | undefined = given === undefined ? standing : { value: given, modRevision: list.revision }
  const rest = {
    list,
    config,
    saidAt: (key: string, revision: bigint, stop: AbortSignal) => store.saidAt(key, revision, stop),
  }
  const found = given === undefined ? undefined : consequences(standing?.value, given, list.records)
  return planOn(asked, settings, rest, found)
}

async function planByNodes(
  asked: Asking,
  settings: DaemonSettings,
  access: KubeAccess,
  given: string | undefined,
): Promise<Said> {
  requireNode(access)
  const { signal } = asked
  try {
    const rest = await withNodes(access, settings.environment, async (store): Promise<NodesAtRest> => {
      const { nodeName, pod } = access
      const nodeOfPod =
        nodeName === undefined && pod !== undefined ? await store.nodeOfPod(pod.namespace, pod.name, signal) : undefined
      const list = await store.list(signal)
      const configuration = new NetConfigFile(access.netConfigPath, systemClock)
      const text = given ?? (await configuration.read())
      return { access, url: store.url, list, nodeOfPod, configuration, text }
    })
    return await planOn(asked, settings, rest, undefined)
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    asked.complain(`${error.message}\nthe API server is taken from: ${settings.from}`)
    return { text: '', code: EXIT.failed }
  }
}

async function planOn(
  asked: Asking,
  { options, from, pid }: DaemonSettings,
  store: PlanPorts['store'],
  found: Consequences | undefined,
): Promise<Said> {
  const { signal } = asked
  const progress = new Progress()
  const id = options.nodeId ?? options.kube?.nodeName ?? (await readNodeId())
  const node = { id, hostname: hostname() }
  const kernel = new RtnetlinkKernel()
  progress.say('reading this host')
  const ports: PlanPorts = {
    ...{ kernel, node, instance: randomUUID(), random: Math.random },
    ...{ readResolvers: () => readResolvers(), resolveHost, deriveCopyId, deriveMac: deriveVtepMac, readSysctl },
    store,
    runProgram: runTool,
    makeFirewall: (run) => ({
      firewall: new LinuxFirewall(run),
      peerFilter: new NftPeerFilter(run, options.ipMasq),
    }),
    isReadingFiles,
  }
  try {
    const plan = await planFor(options, ports, signal)
    const kube = 'access' in store ? { url: store.url, netConfigPath: store.access.netConfigPath } : undefined
    const about = {
      ...{ from, pid, etcd: options.etcd, kube, found: plan, source: asked.value(PLAN_CONFIG) },
      consequences: found,
    }
    const text = asked.isJson ? asJson(planDocument(about)) : showPlan(about, asked.terminal)
    return { text, code: plan.isWhole && plan.changes.length === 0 ? EXIT.done : EXIT.failed }
  } finally {
    progress.end()
    kernel.close()
  }
}
