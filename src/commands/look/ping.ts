import { setTimeout } from 'node:timers/promises'
import type { CommandCall } from '../../cli/commands.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { COUNT, INTERVAL, PING } from '../../cli/specs/ping.ts'
import { containerLine, pingLine, PingTally } from '../../show/ping.ts'
import { AgentAnswerError, AgentAwayError } from '../../status/client/errors.ts'
import type { PeerStatus } from '../../status/document.ts'
import { printable } from '../../text/printable.ts'
import { quoted } from '../../text/quoted.ts'
import { asking, wordsFor, type Asking, type Said } from '../asking/asking.ts'
import { peersMeant } from '../asking/peers-meant.ts'
import { Progress } from '../asking/terminal.ts'
import { isReaderGone, writeOutput } from '../output.ts'
import type { ContainerAsker } from '../inspect/container-asker.ts'

/** `flanneld ping`. */
export const run = (call: CommandCall): Promise<number> => asking(PING, call, ping)

async function ping(asked: Asking): Promise<Said> {
  const tallies = new Map<string, PingTally>()
  const containers = await containerAsker(asked)
  let isLost = false
  try {
    await askAgain(asked, tallies, containers)
  } catch (error) {
    // What was counted before the agent went is said all the same.
    if (tallies.size === 0 || !(error instanceof AgentAwayError || error instanceof AgentAnswerError)) throw error
    asked.complain(wordsFor(error))
    isLost = true
  } finally {
    containers?.close()
  }
  const lines = [...tallies].map(([name, tally]) => `${name}: ${tally.toString()}\n`)
  const isWell = !isLost && tallies.size > 0 && [...tallies.values()].every((tally) => tally.isWell)
  return { text: asked.isJson ? '' : lines.join(''), code: isWell ? EXIT.done : EXIT.failed }
}

/** Until stopped, often enough, or nobody reads any more. @throws {AgentAwayError}, {AgentAnswerError} */
async function askAgain(
  asked: Asking,
  tallies: Map<string, PingTally>,
  containers: ContainerAsker | undefined,
): Promise<void> {
  const { signal, isJson } = asked
  const [count, everyMs] = [asked.value(COUNT), asked.value(INTERVAL) * 1_000]
  for (let turn = 1; !signal.aborted; turn++) {
    const peers = await question(asked)
    if (peers === undefined) break // stopped
    for (const peer of peers) tallyOf(`${printable(peer.name)} (${peer.address ?? peer.publicIp})`, tallies).add(peer)
    const lines = peers.map((peer) => (isJson ? `${JSON.stringify(peer)}\n` : pingLine(peer, asked.terminal)))
    for (const peer of peers) {
      const answer = await containers?.ask(peer)
      if (answer === undefined) continue
      const name = `${answer.container} on ${printable(answer.node)}`
      tallyOf(name, tallies).add({ reach: answer.rttMs === null ? 'unreachable' : 'reachable', rttMs: answer.rttMs })
      lines.push(isJson ? `${JSON.stringify(answer)}\n` : containerLine(name, answer, peer, asked.terminal))
    }
    if (!(await isTaken(lines.join(''), signal)) || turn === count) break
    await setTimeout(everyMs, undefined, { signal }).catch(() => undefined)
  }
}

/** Where an address was given, which may be a container's. */
async function containerAsker(asked: Asking): Promise<ContainerAsker | undefined> {
  const [of = ''] = asked.operands
  if (!/^[\d.]+$|^[\da-f:.]*:[\da-f:.]*$/i.test(of)) return undefined
  const { ContainerAsker: Asker } = await import('../inspect/container-asker.ts')
  return new Asker(of, asked)
}

/** HTTP's "Service Unavailable": the agent asks no peers, and says why. */
const NOT_ASKED = 503

/** @returns undefined when stopped meanwhile @throws {AgentAwayError}, {AgentAnswerError} also where nobody is meant */
async function question(asked: Asking): Promise<readonly PeerStatus[] | undefined> {
  const [of = ''] = asked.operands
  const progress = new Progress()
  progress.say(`asking ${of} …`)
  try {
    const { peers } = await peersMeant(of, asked, '/v1/probe')
    return peers
  } catch (error) {
    if (asked.signal.aborted) return undefined
    if (!(error instanceof AgentAnswerError && error.status === NOT_ASKED)) throw error
    throw new AgentAnswerError(`${error.message}. Without that: flanneld trace ${quoted(of)}`)
  } finally {
    progress.end()
  }
}

function tallyOf(name: string, tallies: Map<string, PingTally>): PingTally {
  const tally = tallies.get(name) ?? new PingTally()
  tallies.set(name, tally)
  return tally
}

/** @returns false when nobody reads any more */
async function isTaken(text: string, signal: AbortSignal): Promise<boolean> {
  try {
    await writeOutput(text, signal)
    return true
  } catch (error) {
    if (isReaderGone(error)) return false
    throw error
  }
}
