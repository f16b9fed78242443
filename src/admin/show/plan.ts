import type { EtcdAccess } from '../../config/options.ts'
import { counted } from '../../present/age.ts'
import type { Looks } from '../../present/table.ts'
import type { PlannedChange } from '../../plan/journal.ts'
import type { Plan } from '../../plan/plan.ts'
import { scriptOf, type ChangeKind, type ScriptStep } from '../../plan/script.ts'
import { quoted } from '../../text/quoted.ts'
import { printable } from '../../text/printable.ts'
import type { Consequences } from '../consequences.ts'
import { sayConsequences } from './consequences.ts'

/** A plan, and what it was made of. */
export interface PlanView {
  readonly found: Plan
  /** Where the agent's settings are from, in words. */
  readonly from: string
  /** Of the agent that runs here; undefined: none does. */
  readonly pid: number | undefined
  readonly etcd: Pick<EtcdAccess, 'endpoints' | 'prefix'>
  /** Where Kubernetes is asked instead. */
  readonly kube?: { readonly url: string; readonly netConfigPath: string } | undefined
  /** The file that the configuration stands in, where it is not that in etcd, and what becomes of it. */
  readonly source: string | undefined
  readonly consequences: Consequences | undefined
}

/** As a script: what is no change is a comment, so that all of it can be handed to a shell. */
export function showPlan(view: PlanView, { paint }: Looks): string {
  const { found, source, consequences } = view
  const steps = scriptOf(found.changes)
  const comment = (text: string): string => paint('dim', `# ${printable(text)}`)
  const lines = [
    ...head(view).map(comment),
    ...(consequences === undefined ? [] : sayConsequences(consequences, source ?? '').map(comment)),
    ...found.changes.flatMap((change) => storeLine(change, view)).map(comment),
    ...steps.flatMap(({ lines: shell }) => shell),
    ...found.notes.map((note) => comment(`note: ${note}`)),
    ...(found.isWhole ? [] : [comment(`This is not all: an agent would wait here. ${found.reasons.join('; ')}`)]),
    comment(summary(found, steps)),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

function head({ from, pid, etcd, kube, source, consequences }: PlanView): readonly string[] {
  const agent = pid === undefined ? '; no flanneld runs here' : ''
  const config =
    consequences === undefined
      ? (kube?.netConfigPath ?? `${etcd.prefix}/config`)
      : `the configuration ${source === '-' ? 'on standard input' : `in ${source ?? ''}`}`
  const nodes =
    kube === undefined ? `the leases in etcd ${etcd.endpoints.join(' ')}` : `the Nodes at the API server ${kube.url}`
  return [
    `what a flanneld that is started now would change on this host, by ${config} and ${nodes}`,
    `settings: ${from}${agent}`,
  ]
}

/** A lease is the agent's to write: it keeps it alive. */
function storeLine(change: PlannedChange, { etcd: { prefix }, kube }: PlanView): readonly string[] {
  if (change.on !== 'store') return []
  const { action, key, value } = change
  if (kube !== undefined) return [`annotations of Node ${key}: ${value}`]
  if (action === 'create') return [`lease: takes ${key}, or another subnet that is free`]
  if (action === 'remove') return [`lease: gives up ${key}`]
  return [`lease: writes ${quoted(`${prefix}/subnets/${key}`)}: ${value}`]
}

const NAMES: Readonly<Record<ChangeKind, readonly [one: string, many: string]>> = {
  device: ['device setting', 'device settings'],
  address: ['address', 'addresses'],
  neighbour: ['neighbour', 'neighbours'],
  fdb: ['forwarding entry', 'forwarding entries'],
  route: ['route', 'routes'],
  setting: ['kernel setting', 'kernel settings'],
  firewall: ['change of firewall rules', 'changes of firewall rules'],
  'subnet file': ['subnet file', 'subnet files'],
  lease: ['lease', 'leases'],
}

function summary({ isWhole, notes }: Plan, steps: readonly ScriptStep[]): string {
  if (steps.length === 0 && !isWhole) return 'nothing to change so far'
  if (steps.length === 0) return notes.length > 0 ? 'nothing to change' : 'nothing to change: all is as it should be'
  const counts = new Map<ChangeKind, number>()
  for (const { kind } of steps) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return `to change: ${[...counts].map(([kind, count]) => counted(count, ...NAMES[kind])).join(', ')}`
}

/** For programs. */
export function planDocument({ found, from, pid, etcd, kube, source, consequences }: PlanView): object {
  const steps = scriptOf(found.changes)
  return {
    version: 1,
    isWhole: found.isWhole,
    reasons: found.reasons,
    notes: found.notes,
    settings: {
      ...{ from, pid: pid ?? null },
      ...(kube === undefined ? { etcd: etcd.endpoints, prefix: etcd.prefix } : { apiServer: kube.url }),
    },
    configuration: source === undefined ? null : { source, ...consequences, instead: consequences?.instead ?? null },
    changes: found.changes.map((change, at) => ({
      kind: steps[at]?.kind,
      lines: steps[at]?.lines,
      ...(change.on === 'store' ? { action: change.action, key: change.key, value: change.value } : {}),
    })),
  }
}
