import { waitFor, type Lab, type LabHost } from '../lab/index.ts'
import { leaseOf, type ReadLease } from '../lab/expected-tables.ts'
import { objectsAt, parseObject, textAt, textsAt } from '../lab/json.ts'
import { agentCall } from '../lab/program.ts'
import { CONFIG } from '../lab/use-lab.ts'
import { leaveUpstreamBehind } from './upstream-node.ts'

/** What `flanneld doctor` has found. */
export interface Told {
  readonly code: number | null
  readonly findings: readonly ToldFinding[]
}

export interface ToldFinding {
  readonly cause: string
  readonly severity: string
  readonly summary: string
  readonly peer: string | undefined
  readonly evidence: readonly string[]
  readonly cure: readonly string[]
}

/** Asks for it on that machine. */
export async function doctorOn({ place }: Pick<LabHost, 'place'>, ...flags: readonly string[]): Promise<Told> {
  const { code, stdout, stderr } = await place.attempt(...agentCall('doctor', '--json', ...flags))
  if (!stdout.startsWith('{')) throw new Error(`flanneld doctor prints no document: ${stderr}`)
  const document = parseObject(stdout)
  const unknown = objectsAt(document, 'notLookedInto')
  if (unknown.length > 0) throw new Error(`not looked into: ${JSON.stringify(unknown)}`)
  const findings = objectsAt(document, 'findings').map((row): ToldFinding => ({
    cause: textAt(row, 'cause') ?? '',
    severity: textAt(row, 'severity') ?? '',
    summary: textAt(row, 'summary') ?? '',
    peer: textAt(row, 'peer'),
    evidence: textsAt(row, 'evidence'),
    cure: textsAt(row, 'cure'),
  }))
  return { code, findings }
}

export const causesOf = ({ findings }: Told): readonly string[] => findings.map(({ cause }) => cause)

/** Runs a cure as it is told, where it is a command of a shell; words behind it are left out. */
export async function follow({ place }: LabHost, { cure }: ToldFinding): Promise<void> {
  const [command = ''] = (cure[0] ?? '').split(/, (?:and the same|if|or) |; /)
  await place.exec('sh', ['-ec', command])
}

/** The lease that an upstream node at that place of the lab has. */
export const upstreamLease = (host: LabHost, at: number): ReadLease => ({
  base: `10.60.${at * 16}.0`,
  subnet: `10.60.${at * 16}.0/20`,
  publicIp: host.address,
  mac: `6e:00:00:00:00:${(16 + at).toString(16)}`,
})

/** Makes upstream nodes of these machines, which know those that have agents. */
export async function joinAsUpstream(lab: Lab, hosts: readonly LabHost[], agents: readonly LabHost[]): Promise<void> {
  const peers = await Promise.all(agents.map(async (agent) => ({ v4: await leaseOf(lab, agent) })))
  await Promise.all(
    hosts.map((host) => {
      const own = { v4: upstreamLease(host, lab.hosts.indexOf(host)) }
      return leaveUpstreamBehind(lab, host, { own, peers })
    }),
  )
}

/** Starts agents on these machines, and makes upstream nodes of those. */
export async function bringUpMixed(lab: Lab, agents: readonly LabHost[], upstream: readonly LabHost[]): Promise<void> {
  await lab.putConfig(CONFIG)
  for (const { agent } of agents) agent.start()
  await Promise.all(agents.map((host) => host.ready()))
  await joinAsUpstream(lab, upstream, agents)
}

export const shell = (host: LabHost, script: string): Promise<string> => host.place.exec('sh', ['-ec', script])

/** Doctor finds it when it is asked; the agent says it by itself within this, and sooner where it is rung. */
export const BY_ITSELF = { deadlineMs: 90_000 } as const

/** A host whose doctor is asked. */
export class Patient {
  readonly #host: () => LabHost
  readonly #deadlineMs: number

  constructor(host: () => LabHost, deadlineMs: number) {
    this.#host = host
    this.#deadlineMs = deadlineMs
  }

  /** Has it ask them now, rather than when it is their turn. */
  asks(hosts: readonly LabHost[]): Promise<unknown> {
    const ask = (address: string): string =>
      `curl -s -X POST --unix-socket /run/flannel/flanneld.sock 'http://localhost/v1/probe?of=${address}'`
    return Promise.all(hosts.map(({ address }) => shell(this.#host(), ask(address))))
  }

  /** Asks doctor until it says this. */
  tells(what: string, isSo: (told: Told) => boolean, ...flags: readonly string[]): Promise<Told> {
    const look = async (): Promise<Told> => {
      const told = await doctorOn(this.#host(), ...flags)
      if (!isSo(told))
        throw new Error(JSON.stringify(told.findings.map(({ cause, summary, peer }) => ({ cause, peer, summary }))))
      return told
    }
    return waitFor(what, look, { deadlineMs: this.#deadlineMs })
  }

  isWell(): Promise<Told> {
    return this.tells('doctor to find nothing', ({ findings }) => findings.length === 0)
  }

  /** What the agent says without being asked for a cause, as soon as it promises to. */
  agentNames(words: RegExp): Promise<unknown> {
    const look = async (): Promise<boolean> =>
      words.test((await this.#host().place.attempt(...agentCall('status'))).stdout)
    return waitFor(`status to say ${String(words)}`, look, BY_ITSELF)
  }
}
