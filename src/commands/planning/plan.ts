import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { CommandCall } from '../../cli/commands.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { PLAN, PLAN_CONFIG } from '../../cli/specs/plan.ts'
import { parseNetworkConfig } from '../../config/network.ts'
import type { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import { runTool } from '../../firewall/command.ts'
import { LinuxFirewall } from '../../firewall/linux-firewall.ts'
import { NftPeerFilter } from '../../firewall/peer-filter/nft-peer-filter.ts'
import { deriveCopyId, deriveVtepMac, NoIdentityError, readNodeId } from '../../host/identity.ts'
import { resolveHost } from '../../host/resolve.ts'
import { readResolvers } from '../../host/resolvers.ts'
import { readSysctl } from '../../host/sysctl.ts'
import type { ConfigRecord } from '../../lease/store.ts'
import { RtnetlinkKernel } from '../../netlink/rtnetlink-kernel.ts'
import { isReadingFiles } from '../../plan/stillness.ts'
import { planFor, type PlanPorts } from '../../plan/plan.ts'
import { asJson, asking, type Asking, type Said } from '../asking/asking.ts'
import { Progress } from '../asking/terminal.ts'
import { readText } from '../settings/read-text.ts'
import { daemonSettings, type DaemonSettings } from '../settings/daemon-settings.ts'
import { withStore } from '../settings/open-store.ts'
import { consequences } from '../../admin/consequences.ts'
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
    return await withStore({ ...settings.options, from: settings.from }, complain, (store) =>
      planOn(asked, settings, store, given),
    )
  } catch (error) {
    if (!(error instanceof NoIdentityError)) throw error
    asked.complain(error.message)
    return { text: '', code: EXIT.usage }
  }
}

async function planOn(
  asked: Asking,
  { options, from, pid }: DaemonSettings,
  store: EtcdLeaseStore,
  given: string | undefined,
): Promise<Said> {
  const { signal } = asked
  const progress = new Progress()
  const node = { id: options.nodeId ?? (await readNodeId()), hostname: hostname() }
  progress.say('reading etcd')
  const standing = await store.readConfig(signal)
  const list = await store.list(signal)
  const config: ConfigRecord | undefined = given === undefined ? standing : { value: given, modRevision: list.revision }
  const kernel = new RtnetlinkKernel()
  progress.say('reading this host')
  const ports: PlanPorts = {
    ...{ kernel, node, instance: randomUUID(), random: Math.random },
    ...{ readResolvers: () => readResolvers(), resolveHost, deriveCopyId, deriveMac: deriveVtepMac, readSysctl },
    store: { list, config, saidAt: (key, revision, stop) => store.saidAt(key, revision, stop) },
    runProgram: runTool,
    makeFirewall: (run) => ({
      firewall: new LinuxFirewall(run),
      peerFilter: new NftPeerFilter(run, options.ipMasq),
    }),
    isReadingFiles,
  }
  try {
    const found = await planFor(options, ports, signal)
    const about = {
      ...{ from, pid, etcd: options.etcd, found, source: given === undefined ? undefined : asked.value(PLAN_CONFIG) },
      consequences: given === undefined ? undefined : consequences(standing?.value, given, list.records),
    }
    const text = asked.isJson ? asJson(planDocument(about)) : showPlan(about, asked.terminal)
    return { text, code: found.isWhole && found.changes.length === 0 ? EXIT.done : EXIT.failed }
  } finally {
    progress.end()
    kernel.close()
  }
}
