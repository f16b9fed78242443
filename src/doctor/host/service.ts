import type { Finding } from '../finding.ts'

/** What is known of an agent that does not answer. */
export interface ServiceFacts {
  /** Properties of flanneld.service (systemctl show); empty: there is no systemd, or no such unit. */
  readonly unit: ReadonlyMap<string, string>
  /** The process that has claimed this host; undefined: none. */
  readonly pid: number | undefined
  /** It takes questions at its status socket, and answers none. */
  readonly isSilent: boolean
  /** Of that process, a letter (proc_pid_stat(5)); empty: not known. */
  readonly state: string
  /** Its last lines in the journal, the newest last; empty: not known. */
  readonly lastWords: readonly string[]
}

/** What `systemctl show` prints, `Name=value` a line. Pure. */
export function readUnit(text: string): ReadonlyMap<string, string> {
  const all = new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=')
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const]
    }),
  )
  return all.get('LoadState') === 'loaded' ? all : new Map()
}

/** Exit code of a mistake in usage or configuration, after which the unit is not started again. */
const USAGE = '2'
/** Started again so often, it does not end by chance. */
const CRASH_LOOP = 3

type Told = Pick<Finding, 'cause' | 'summary' | 'cure'> & Partial<Pick<Finding, 'severity' | 'evidence'>>

/** Why no agent answers; the first case that is so. Pure. */
export function judgeService(facts: ServiceFacts): readonly Finding[] {
  const common = { severity: 'broken', evidence: evidenceOf(facts), explains: [] } as const
  const found = CASES.find(({ isSo }) => isSo(facts))
  return found === undefined ? [] : [{ ...common, ...found.tell(facts) }]
}

const SHOWN = ['ActiveState', 'SubState', 'Result', 'ExecMainStatus', 'NRestarts'] as const

const evidenceOf = ({ unit, lastWords }: ServiceFacts): readonly string[] => [
  unit.size === 0
    ? 'no process has claimed this host; there is no flanneld.service'
    : `systemctl show flanneld: ${SHOWN.map((name) => `${name}=${unit.get(name) ?? ''}`).join(' ')}`,
  ...lastWords.map((line) => `journalctl -u flanneld: ${line}`),
]

interface Case {
  readonly isSo: (facts: ServiceFacts) => boolean
  readonly tell: (facts: ServiceFacts) => Told
}

const CASES: readonly Case[] = [
  { isSo: ({ isSilent }) => isSilent, tell: (facts) => hanging(facts) },
  { isSo: ({ pid }) => pid !== undefined, tell: ({ pid = 0 }) => elsewhere(pid) },
  {
    isSo: ({ unit, lastWords }) => lacksNetAdmin(unit, lastWords),
    tell: () => ({
      cause: 'agent-without-rights',
      summary: 'the agent may not change the network: CAP_NET_ADMIN is missing, so it ends as soon as it starts',
      cure: [
        'systemctl edit flanneld: [Service] AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW and the same in CapabilityBoundingSet=, then systemctl restart flanneld',
        'Docker: --cap-add=NET_ADMIN --cap-add=NET_RAW; Kubernetes: securityContext.capabilities.add',
      ],
    }),
  },
  {
    isSo: ({ unit }) => unit.size === 0,
    tell: () => ({
      cause: 'agent-not-running',
      summary: 'no agent runs on this host',
      cure: [
        'systemctl enable --now flanneld, or however it is started here; what stands in the kernel goes on forwarding, and is not kept up (with the backend udp, nothing is forwarded)',
      ],
    }),
  },
  {
    isSo: ({ unit }) => unit.get('ExecMainStatus') === USAGE && unit.get('ActiveState') !== 'active',
    tell: () => ({
      cause: 'flags-invalid',
      summary:
        'the agent has ended with 2: a flag, a variable or a file that it is given is wrong, and it is not started again',
      cure: ['flanneld --check, with what stands in /etc/default/flanneld; then systemctl restart flanneld'],
    }),
  },
  {
    isSo: ({ unit }) => Number(unit.get('NRestarts') ?? 0) >= CRASH_LOOP || unit.get('Result') === 'start-limit-hit',
    tell: ({ unit }) => ({
      cause: 'agent-crashing',
      summary: `the agent ends again and again (started ${unit.get('NRestarts') ?? ''} times)`,
      cure: ['journalctl -u flanneld -n 50 --no-pager', 'what its last lines say: docs/troubleshooting.md'],
    }),
  },
  { isSo: () => true, tell: ({ unit }) => stopped(unit) },
]

const elsewhere = (pid: number): Told => ({
  severity: 'risk',
  cause: 'agent-silent',
  summary: `the agent runs (pid ${pid}) and does not answer at its status socket`,
  evidence: [`process ${pid} has claimed this host`],
  cure: [
    'flanneld status --socket FILE where --status-socket names another one',
    `an agent before this version has none: systemctl restart flanneld; if it hangs: cat /proc/${pid}/stack, then systemctl restart flanneld`,
  ],
})

const stopped = (unit: ServiceFacts['unit']): Told => ({
  cause: 'agent-not-running',
  summary: `the agent does not run: flanneld.service is ${unit.get('ActiveState') ?? 'not known'}${unit.get('UnitFileState') === 'disabled' ? ' and not enabled' : ''}`,
  cure: [
    unit.get('ActiveState') === 'inactive'
      ? 'systemctl enable --now flanneld'
      : 'systemctl restart flanneld; journalctl -u flanneld -n 50 --no-pager',
  ],
})

/** State of a process, from its /proc/PID/stat: behind its name, which may hold anything. Pure. */
export const stateIn = (stat: string): string => stat.slice(stat.lastIndexOf(')') + 1).trim()[0] ?? ''

const STATES: Readonly<Record<string, string>> = {
  T: 'stopped by a signal',
  t: 'stopped by a debugger',
  D: 'waiting in the kernel, for a disk as a rule',
}

/** An agent that hangs keeps nothing up, and its lease will end. */
function hanging({ pid, state }: ServiceFacts): Pick<Finding, 'cause' | 'summary' | 'evidence' | 'cure'> {
  const who = pid === undefined ? '' : ` (pid ${pid})`
  const why = STATES[state]
  const process =
    pid === undefined ? [] : [`/proc/${pid}/stat: state ${state || '?'}${why === undefined ? '' : `, ${why}`}`]
  const wake = pid !== undefined && state === 'T' ? [`kill -CONT ${pid}, and find out who has stopped it`] : []
  return {
    cause: 'agent-silent',
    summary: `the agent${who} hangs${why === undefined ? '' : `: it is ${why}`}; what stands in the kernel goes on forwarding, and is not kept up (with the backend udp, nothing is forwarded while it is stopped)`,
    evidence: ['its status socket takes the question, and no answer comes', ...process],
    cure: [
      ...wake,
      `${pid === undefined ? '' : `cat /proc/${pid}/stack, for whoever looks into it; then `}systemctl restart flanneld`,
    ],
  }
}

/** By what systemd gives the process, or by its own last words. */
function lacksNetAdmin(unit: ReadonlyMap<string, string>, lastWords: readonly string[]): boolean {
  const bounding = unit.get('CapabilityBoundingSet')
  const isRoot = ['', 'root', '0', undefined].includes(unit.get('User'))
  const ambient = unit.get('AmbientCapabilities') ?? ''
  const isBounded = bounding !== undefined && !bounding.includes('cap_net_admin')
  const isNotGiven = unit.size > 0 && !isRoot && !ambient.includes('cap_net_admin')
  return isBounded || isNotGiven || lastWords.some((line) => line.includes('lacks CAP_NET_ADMIN'))
}
