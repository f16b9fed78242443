import type { CommandCall } from '../../cli/commands.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { DOCTOR, DOCTOR_FLAGS } from '../../cli/specs/doctor.ts'
import { ConfigError } from '../../config/error.ts'
import type { Environment } from '../../config/environment.ts'
import type { EtcdAccess, KubeAccess } from '../../config/options.ts'
import { diagnose } from '../../doctor/diagnosis.ts'
import { isBroken, type DoctorDocument } from '../../doctor/document.ts'
import { examine } from '../../doctor/examine.ts'
import type { Check } from '../../doctor/finding.ts'
import { PACKET_CHECKS } from '../../doctor/packets/list.ts'
import { HOST_CHECKS } from '../../doctor/host/checks.ts'
import { KUBE_CHECKS } from '../../doctor/kube/checks.ts'
import { STORE_CHECKS } from '../../doctor/store/checks.ts'
import { EchoAsker } from '../../doctor/read/icmp.ts'
import { LinuxHost, onceReads } from '../../doctor/read/linux-host.ts'
import { liveView } from '../../doctor/read/live-view.ts'
import { kubeReads } from '../../doctor/read/kube.ts'
import { storeReads } from '../../doctor/read/store.ts'
import { linuxProbes } from '../../doctor/read/probes.ts'
import type { KubeReads } from '../../doctor/kube-facts.ts'
import type { View } from '../../doctor/view.ts'
import type { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import { LinuxForeignRules } from '../../firewall/others/linux-foreign-rules.ts'
import { FirewallError } from '../../kernel/firewall.ts'
import type { ForeignVerdicts } from '../../kernel/foreign-rules.ts'
import { readNodeId } from '../../host/identity.ts'
import { systemClock } from '../../host/system-clock.ts'
import { NetConfigFile } from '../../kube/net-config/net-config-file.ts'
import type { PeerRecord } from '../../lease/lease.ts'
import { StoreError } from '../../lease/store.ts'
import { RtnetlinkKernel } from '../../netlink/rtnetlink-kernel.ts'
import { showFindings } from '../../show/doctor.ts'
import { asJson, asking, type Asking, type Said } from '../asking/asking.ts'
import { Progress } from '../asking/terminal.ts'
import { requirePerson } from '../asking/person.ts'
import { daemonSettings } from '../settings/daemon-settings.ts'
import { listStore } from '../settings/list-store.ts'
import { withNodes } from '../settings/open-kube.ts'
import { agentOnThisHost } from '../this-host.ts'
import { agentBehind } from './agent-here.ts'
import { applyFixes } from './fixes.ts'
import { requireNamed, requireWord } from './peer-named.ts'

/** With the checks of the store that is asked. */
const checksFor = ({ kube }: Pick<View, 'kube'>): readonly Check<View>[] => [
  ...(kube === undefined ? STORE_CHECKS : KUBE_CHECKS),
  ...HOST_CHECKS,
  ...PACKET_CHECKS,
]

/** A check has eight seconds: etcd is asked for some of them, several times over. */
const ASK_TIMEOUT_MS = 2_500
const SUBNET_FILE = '/run/flannel/subnet.env'

interface Settings {
  /** Text: why they make no sense. */
  readonly etcd: EtcdAccess | string
  readonly kube: { readonly access: KubeAccess; readonly environment: Environment } | undefined
  readonly subnetFile: string
  readonly nodeId: string | undefined
  readonly claim: number | undefined
  /** Where they were found. */
  readonly from: string
  readonly isDefault: boolean
}

/** `flanneld doctor`. */
export const run = (call: CommandCall): Promise<number> =>
  asking(DOCTOR, call, async (asked) => {
    requireWord(asked.own.given)
    const isToFix = asked.value(DOCTOR_FLAGS.fix)
    const isSure = asked.value(DOCTOR_FLAGS.yes)
    if (isSure && !isToFix) throw new ConfigError('--yes', 'only together with --fix', undefined)
    if (isToFix) requirePerson('--fix', isSure)
    const first = await examineHost(asked)
    if (!isToFix) return shown(first, asked)
    const hasDone = await applyFixes(first.findings, {
      isSure,
      signal: asked.signal,
      say: (text) => {
        asked.complain(text)
      },
    })
    return shown(hasDone ? await examineHost(asked) : first, asked)
  })

function shown(document: DoctorDocument, asked: Asking): Said {
  const text = asked.isJson ? asJson(document) : showFindings(document, asked.terminal)
  return { text, code: isBroken(document) || document.notLookedInto.length > 0 ? EXIT.failed : EXIT.done }
}

/** Looks into this host, and finds what is wrong. Everything is read anew. */
export async function examineHost(asked: Asking): Promise<DoctorDocument> {
  const { signal } = asked
  const kernel = new RtnetlinkKernel()
  const echoes = new EchoAsker(systemClock, signal)
  const progress = new Progress()
  try {
    const view = viewOf(asked, kernel, echoes)
    const status = await view.agent()
    await requireNamed(view, () => leasesOf(asked))
    progress.say('asking peers')
    // The time that it takes is none of the checks', which may send packets of their own; why it cannot be done, they say.
    await view.suspects().catch(() => undefined)
    await view.sights().catch(() => undefined)
    const checks = checksFor(view)
    const { found, notLookedInto } = await examine(checks, view, {
      ...{ clock: systemClock, signal },
      onProgress: (done, of, name) => {
        progress.say(`looked into ${done} of ${of}: ${name}`)
      },
    })
    return {
      ...{ version: 1, at: new Date(view.nowMs).toISOString(), hasAgent: status !== undefined },
      findings: diagnose(found, status?.conditions ?? []),
      notLookedInto,
      lookedInto: checks.map(({ name }) => name).filter((name) => !notLookedInto.some(({ what }) => what === name)),
    }
  } finally {
    progress.end()
    echoes.close()
    kernel.close()
  }
}

/** What rules of others on this host do to the overlay; undefined: they cannot be read, or there is no overlay to judge them by. */
export async function rulesOfOthersHere(asked: Asking): Promise<ForeignVerdicts | undefined> {
  const kernel = new RtnetlinkKernel()
  const echoes = new EchoAsker(systemClock, asked.signal)
  try {
    return await viewOf(asked, kernel, echoes).host.verdicts()
  } catch (error) {
    if (asked.signal.aborted || !(error instanceof FirewallError)) throw error
    return undefined
  } finally {
    echoes.close()
    kernel.close()
  }
}

/** Undefined: the store cannot be asked, or with these flags not at all; why, checks find. */
async function leasesOf(asked: Asking): Promise<readonly PeerRecord[] | undefined> {
  const { etcd, kube } = settingsOf(asked)
  if (typeof etcd === 'string') return undefined
  if (kube !== undefined) {
    const look = await listStore(asked.own, asked.signal)
    return look.is === 'read' ? look.records : undefined
  }
  try {
    const store = await openStore(etcd)
    try {
      return (await store.list(asked.signal)).records
    } finally {
      store.close()
    }
  } catch (error) {
    if (error instanceof StoreError || error instanceof ConfigError) return undefined
    throw error
  }
}

function viewOf(asked: Asking, kernel: RtnetlinkKernel, echoes: EchoAsker): View {
  const { signal } = asked
  const { etcd, kube, subnetFile, nodeId, claim, from, isDefault } = settingsOf(asked)
  return liveView({
    ...{ signal, about: asked.value(DOCTOR_FLAGS.peer), nowMs: Date.now() },
    agent: agentBehind(asked),
    host: new LinuxHost(onceReads(kernel), signal),
    probes: linuxProbes(echoes, systemClock, signal),
    foreignRules: new LinuxForeignRules(),
    ...{ subnetFile, claim },
    kube: kube && kubeReadsOf(kube, from, signal),
    store: storeReads({
      ...{ etcd, from, isDefault, signal, open: openStore, wallMs: Date.now },
      nodeId: () => (nodeId === undefined ? readNodeId().catch(() => undefined) : Promise.resolve(nodeId)),
    }),
  })
}

const kubeReadsOf = (
  { access, environment }: NonNullable<Settings['kube']>,
  from: string,
  signal: AbortSignal,
): KubeReads =>
  kubeReads({
    ...{ access, from, signal },
    withNodes: (body) => withNodes(access, environment, body),
    readConfiguration: () => new NetConfigFile(access.netConfigPath, systemClock).read(),
  })

/** Loaded when etcd is to be asked: nothing else takes as long. */
async function openStore(etcd: EtcdAccess): Promise<EtcdLeaseStore> {
  const { EtcdLeaseStore: Store } = await import('../../etcd/etcd-lease-store.ts')
  const { hearGrpc } = await import('../../etcd/grpc-log.ts')
  hearGrpc({ error: () => undefined, debug: () => undefined }, systemClock) // what it means is in the findings
  return new Store(etcd, { clock: systemClock, random: Math.random, callTimeoutMs: ASK_TIMEOUT_MS })
}

/** Flags that make no sense are a finding, and not the end of it: what the agent is given may be wrong. */
function settingsOf({ own }: Asking): Settings {
  try {
    const { options, environment, pid, from, isDefaultEtcd: isDefault } = daemonSettings(own)
    const { etcd, subnetFile, nodeId, kube: access } = options
    return { from, isDefault, etcd, kube: access && { access, environment }, subnetFile, nodeId, claim: pid }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return {
      ...{
        from: '',
        isDefault: false,
        etcd: error.message,
        kube: undefined,
        subnetFile: SUBNET_FILE,
        nodeId: undefined,
      },
      claim: agentOnThisHost()?.pid,
    }
  }
}
