import type { CommandCall } from '../../cli/commands.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { TRACE } from '../../cli/specs/trace.ts'
import { parseIp } from '../../net/ip.ts'
import { prefixContains } from '../../net/prefix.ts'
import { RtnetlinkKernel } from '../../netlink/rtnetlink-kernel.ts'
import { ask } from '../../status/client/ask.ts'
import { AgentAnswerError, AgentAwayError } from '../../status/client/errors.ts'
import { isThisNode, itself } from '../asking/this-node.ts'
import type { PeerStatus, RejectedDocument, StatusDocument } from '../../status/document.ts'
import type { TraceFacts, TracedPeer } from '../../trace/facts.ts'
import { findAtAgent, findInStore, notInForce } from '../../trace/find.ts'
import { gather } from '../../trace/gather.ts'
import { carriedWay, isOwn } from '../../trace/own.ts'
import { showTrace } from '../../trace/show.ts'
import { steps } from '../../trace/steps.ts'
import { rulesOfOthersHere } from '../examine/doctor.ts'
import { asJson, asking, wordsFor, type Asking, type Said } from '../asking/asking.ts'
import { peersMeant } from '../asking/peers-meant.ts'
import { Progress } from '../asking/terminal.ts'
import { listStore, type StoreLook } from '../settings/list-store.ts'

/** `flanneld trace`. */
export const run = (call: CommandCall): Promise<number> => asking(TRACE, call, trace)

async function trace(asked: Asking): Promise<Said> {
  const progress = new Progress()
  progress.say('asking the store, the kernel, the firewall and the peer …')
  try {
    return await traceMeant(asked)
  } finally {
    progress.end()
  }
}

async function traceMeant(asked: Asking): Promise<Said> {
  const [word = ''] = asked.operands
  const [store, agent, ofOthers] = await Promise.all([
    listStore(asked.own, asked.signal),
    askAgent(word, asked),
    rulesOfOthersHere(asked),
  ])
  if (store.is === 'away') asked.complain(`${store.name} at ${store.endpoints} cannot be asked: ${store.problem}`)
  const known = store.is === 'read' ? findInStore(store.records, word, store.name) : []
  const found = known.length > 0 ? known : findAtAgent(agent.peers, agent.vni)
  const peers = found.map((peer) => ({ ...peer, carried: carriedWay(peer, agent.status) }))
  if (peers.length === 0) throw nobodyMeant(word, agent, store)
  const firewall = { own: agent.status?.firewall, ofOthers }
  const traced = await traceEach(peers, agent, firewall, asked)
  if (traced.length === 0) throw new AgentAnswerError(itself(word))
  const isWell = traced.every(({ found }) => found.every(({ is }) => is !== 'wrong'))
  const text = asked.isJson
    ? asJson({ version: 1, traces: traced.map((one) => ({ ...inJson(one), steps: one.found })) })
    : traced.map(({ peer, found }) => showTrace(peer, found, asked.terminal) + toNode(word, peer)).join('\n')
  return { text, code: isWell ? EXIT.done : EXIT.failed }
}

/** That a container was named, and its node was looked at. */
function toNode(word: string, { subnet, publicIp }: TracedPeer): string {
  const meant = parseIp(word)
  const isContainer =
    meant?.family === subnet.family &&
    prefixContains(subnet, meant) &&
    ![subnet.base.text, publicIp.text].includes(word)
  return isContainer ? `${word} is a container's: this is the way to its node; flanneld ping ${word} asks it too\n` : ''
}

function nobodyMeant(word: string, { state, status }: Agent, store: StoreLook): AgentAnswerError {
  if (status !== undefined && isThisNode(status, word)) return new AgentAnswerError(itself(word))
  if (store.is === 'away' && state !== 'here')
    return new AgentAnswerError(`neither ${store.name} nor an agent says who ${word} is: flanneld doctor finds out why`)
  return new AgentAnswerError(`no lease has the name, address or subnet ${word}: flanneld leases lists all`)
}

const inJson = ({ peer: { subnet, publicIp, carried, ...rest }, deviceName }: Traced): object => ({
  ...rest,
  carriedBy: (carried && deviceName) ?? null,
  subnet: subnet.text,
  publicIp: publicIp.text,
})

interface Agent {
  readonly state: TraceFacts['agent']
  readonly status: StatusDocument | undefined
  readonly peers: readonly PeerStatus[]
  readonly rejected: RejectedDocument['rows']
  readonly vni: number | null
}

/** What the agent says of it, asked anew; where none answers, that is said, and the trace goes on without. */
async function askAgent(word: string, asked: Asking): Promise<Agent> {
  try {
    const [status, { rows }, peers] = await Promise.all([
      ask<StatusDocument>('/v1/status', asked),
      ask<RejectedDocument>('/v1/rejected', asked),
      peersMeant(word, asked, '/v1/probe').then(({ peers: found }) => found, whereNobody),
    ])
    const vni = status.families.find(({ device }) => device !== null)?.device?.vni ?? null
    return { state: 'here', status, peers, rejected: rows, vni }
  } catch (error) {
    if (!(error instanceof AgentAwayError || error instanceof AgentAnswerError)) throw error
    asked.complain(wordsFor(error))
    return { state: stateFor(error), status: undefined, peers: [], rejected: [], vni: null }
  }
}

function stateFor(error: AgentAwayError | AgentAnswerError): TraceFacts['agent'] {
  if (error instanceof AgentAnswerError || error.why === 'forbidden') return 'here'
  return error.why === 'silent' ? 'silent' : 'away'
}

function whereNobody(error: unknown): readonly PeerStatus[] {
  if (error instanceof AgentAnswerError) return [] // it knows none of that name, or asks nobody: the probe is unknown then
  throw error
}

/** Whom the agent reaches in the subnet of a peer. */
async function inForceFor({ subnet, family }: TracedPeer, asked: Asking): Promise<readonly PeerStatus[]> {
  const { peers } = await peersMeant(subnet.text, asked, '/v1/peers').catch((error: unknown) => ({
    peers: whereNobody(error),
  }))
  return peers.filter((peer) => peer.family === family)
}

interface Traced {
  readonly peer: TracedPeer
  /** Of the device that leads there; undefined: the backend has none. */
  readonly deviceName: string | undefined
  readonly found: ReturnType<typeof steps>
}

/** Each but for this host itself, to which no way leads. */
async function traceEach(
  peers: readonly TracedPeer[],
  agent: Agent,
  firewall: TraceFacts['firewall'],
  asked: Asking,
): Promise<readonly Traced[]> {
  const kernel = new RtnetlinkKernel()
  try {
    const traced: Traced[] = []
    for (const peer of peers) {
      const held = await gather(kernel, peer, asked.signal)
      if (isOwn(peer, held, agent.status)) continue
      const facts: TraceFacts = {
        ...{ peer, agent: agent.state, kernel: held, firewall },
        rejected:
          agent.rejected.find(({ key }) => key.endsWith(peer.key))?.reason ??
          (agent.status === undefined ? undefined : notInForce(peer, await inForceFor(peer, asked))),
        asked: agent.peers.find(({ family, subnet }) => family === peer.family && subnet === peer.subnet.text),
      }
      traced.push({ peer, deviceName: held.deviceName, found: steps(facts) })
    }
    return traced
  } finally {
    kernel.close()
  }
}
