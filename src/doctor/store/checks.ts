import type { ConditionStatus, StatusDocument } from '../../status/document.ts'
import type { Check, Finding } from '../finding.ts'
import type { StoreAccess, StoreFacts } from '../store-facts.ts'
import type { View } from '../view.ts'
import { judgeCertificates } from './certificates.ts'
import { judgeClock } from './clock.ts'
import { invalidConfiguration, missingConfiguration, waitingConfiguration } from './configuration.ts'
import { judgeFault, type FaultContext } from './judge-fault.ts'
import { leaseMissing } from './lease-missing.ts'
import { judgeLease, judgeRoom, roomOf } from './leases.ts'

/** What the agent says of the store, with the flags by which it is reached. */
interface Known {
  readonly access: StoreAccess
  readonly agent: StatusDocument | undefined
  /** What etcd itself says; undefined: the agent is well with it, and it was not asked. */
  readonly facts: StoreFacts | undefined
  readonly nowMs: number
}

const isOfStore = ({ what, fault }: ConditionStatus): boolean =>
  fault?.error === 'StoreError' ||
  what === 'etcd' ||
  what === 'certificates of etcd' ||
  what === 'network configuration' ||
  what === 'clock'

/** etcd is asked where no agent tells, or where the agent is not well with it: asking takes longer than all the rest. */
async function knownOf(view: View): Promise<Known | undefined> {
  const { access } = view.store
  if (typeof access === 'string') return undefined
  const agent = await view.agent()
  const isToBeAsked = agent === undefined || agent.conditions.some(isOfStore)
  return { access, agent, facts: isToBeAsked ? await view.store.ask() : undefined, nowMs: view.nowMs }
}

/** A check of what is known of the store; nothing, where the flags make no sense, which is a finding of its own. */
const check = (name: string, judge: (known: Known) => readonly Finding[]): Check<View> => ({
  name,
  look: async (view) => {
    const known = await knownOf(view)
    return known === undefined ? [] : judge(known)
  },
})

/** What is given for certificates and keys cannot be used at all. */
const refused = ({ flag, says }: NonNullable<StoreFacts['refused']>): Finding => ({
  cause: FILE_FLAGS.has(flag) ? 'certificate-files' : 'flags-invalid',
  severity: 'broken',
  summary: `the flags for etcd cannot be used: ${says}`,
  evidence: [says],
  cure: [
    `correct ${flag || 'it'} in /etc/default/flanneld, or the file that it names; then systemctl restart flanneld`,
  ],
})

const FILE_FLAGS: ReadonlySet<string> = new Set(['--etcd-cafile', '--etcd-certfile', '--etcd-keyfile'])

const flags: Check<View> = {
  name: 'flags for etcd',
  look: ({ store: { access } }) =>
    Promise.resolve(
      typeof access !== 'string'
        ? []
        : [
            {
              cause: 'flags-invalid',
              severity: 'broken',
              summary: `the flags of the agent make no sense: ${access}`,
              evidence: [access],
              cure: ['correct /etc/default/flanneld, flanneld --check, then systemctl restart flanneld'],
            },
          ],
    ),
}

const FOLLOWS = ['lease', 'forwarding*', 'subnet file']

/** Why etcd does not do as it is asked: by the agent, and asked by ourselves. */
function judgeStore({ access, agent, facts, nowMs }: Known): readonly Finding[] {
  const conditions = agent?.conditions.filter(({ fault }) => fault?.error === 'StoreError') ?? []
  const context = (seenBy: string): FaultContext => ({
    access,
    certificates: certificatesOf(agent, facts),
    nowMs,
    seenBy,
  })
  if (facts?.refused !== undefined) return [refused(facts.refused)]
  const own = facts === undefined ? [] : [facts.reading, ...facts.writing].filter((fault) => fault !== undefined)
  const byUs = own.flatMap((fault) => judgeFault(fault, context('etcd, asked just now')))
  const byAgent = conditions.flatMap(({ what, fault }) =>
    fault === null ? [] : judgeFault(fault, context(`the agent (${what})`)),
  )
  const known = new Set(byUs.map(({ cause }) => cause))
  const explains = [...conditions.map(({ what }) => what), ...(agent?.lease === null ? FOLLOWS : [])]
  const all = [...byUs, ...byAgent.filter(({ cause }) => !known.has(cause))]
  // what is wrong with files is told by who looks at them, where somebody has
  const rest =
    facts?.certificates.problem === undefined ? all : all.filter(({ cause }) => cause !== 'certificate-files')
  return [...new Map(rest.map((finding) => [finding.summary, { ...finding, explains }])).values()]
}

const certificatesOf = (
  agent: StatusDocument | undefined,
  facts: StoreFacts | undefined,
): FaultContext['certificates'] => facts?.certificates.seen ?? certificatesOfAgent(agent)

const certificatesOfAgent = (agent: StatusDocument | undefined): FaultContext['certificates'] =>
  (agent?.store.certificates ?? []).flatMap(({ file, expiresAt }) =>
    expiresAt === null ? [] : [{ what: file, fromMs: 0, toMs: Date.parse(expiresAt) }],
  )

function judgeFiles({ access, agent, facts, nowMs }: Known): readonly Finding[] {
  const problem =
    facts?.certificates.problem ?? agent?.store.certificates.find((one) => one.problem !== null)?.problem ?? undefined
  const seen = certificatesOf(agent, facts)
  return judgeCertificates(access, { problem, seen }, { nowMs, isConnected: agent?.store.isUp ?? false })
}

/**
 * Why etcd does not do as it is asked, and its certificates: a cause that the files themselves show is told by these, which know since when
 * and whether a connection from before still stands.
 */
function judgeWay(known: Known): readonly Finding[] {
  const [way, files] = [judgeStore(known), judgeFiles(known)]
  const isShown = (cause: string): boolean => files.some((file) => file.cause === cause)
  const explainedOf = (cause: string): readonly string[] =>
    way.filter((one) => one.cause === cause).flatMap(({ explains = [] }) => explains)
  return [
    ...way.filter(({ cause }) => !isShown(cause)),
    ...files.map((file) => ({ ...file, explains: [...(file.explains ?? []), ...explainedOf(file.cause)] })),
  ]
}

function judgeConfiguration({ access, agent, facts }: Known): readonly Finding[] {
  const waits = agent?.configuration === null || agent === undefined ? [] : waitingConfiguration(agent.configuration)
  const explains = ['network configuration', ...(agent?.lease === null ? FOLLOWS : [])]
  const inForce = (agent?.configuration ?? null) !== null
  const said = agent?.conditions.find(
    ({ what, fault }) => what === 'network configuration' && fault?.error === 'ConfigError',
  )?.fault
  const invalid = facts?.invalid ?? (said?.code === 'INVALID' ? said : undefined)
  if (facts?.configuration === null) return [...waits, { ...missingConfiguration(access, facts), explains }]
  if (invalid !== undefined) return [...waits, { ...invalidConfiguration(access, invalid, inForce), explains }]
  return waits
}

function judgeLeases({ access, agent, facts }: Known): readonly Finding[] {
  const lease = agent?.conditions.flatMap(judgeLease) ?? []
  const waits = agent?.conditions.some(({ fault }) => fault?.error === 'OutOfSubnetsError') ?? false
  const isFullForUs =
    agent === undefined &&
    facts?.own?.length === 0 &&
    facts.leases !== undefined &&
    facts.leases.held >= facts.leases.room
  const room = (agent && roomOf(agent)) ?? facts?.leases
  return [...lease, ...(room === undefined ? [] : judgeRoom(access, room, waits || isFullForUs))]
}

/** What this host hears of etcd, and of what is kept there. */
export const STORE_CHECKS: readonly Check<View>[] = [
  flags,
  check('etcd', judgeWay),
  check('network configuration', judgeConfiguration),
  check('leases', judgeLeases),
  leaseMissing,
  check('clock', ({ facts }) => (facts?.clock === undefined ? [] : judgeClock(facts.clock))),
]
