import { EchoAsker } from '../../doctor/read/icmp.ts'
import { systemClock } from '../../host/system-clock.ts'
import { parseIp, type Ip } from '../../net/ip.ts'
import { parsePrefix, prefixContains } from '../../net/prefix.ts'
import type { ContainerAnswer } from '../../show/ping.ts'
import { ask } from '../../status/client/ask.ts'
import type { PeerStatus, StatusDocument } from '../../status/document.ts'
import type { Asking } from '../asking/asking.ts'

/** Asks a container by ICMP echo, from this process: the agent asks nodes, and that one answers says nothing of its containers. */
export class ContainerAsker {
  readonly #meant: Ip | undefined
  readonly #asked: Asking
  readonly #echoes: EchoAsker

  /** @param of what was asked for */
  constructor(of: string, asked: Asking) {
    this.#meant = parseIp(of)
    this.#asked = asked
    this.#echoes = new EchoAsker(systemClock, asked.signal)
  }

  /** @returns undefined where no container of that peer is meant */
  async ask(peer: PeerStatus): Promise<ContainerAnswer | undefined> {
    const container = this.#meant
    if (container === undefined || !isContainer(container, peer)) return undefined
    const answer = { container: container.text, node: peer.name }
    const { families } = await ask<StatusDocument>('/v1/status', this.#asked)
    const here = families.find(({ family }) => family === container.family)
    const from = parseIp(here?.device?.address ?? here?.underlay.address ?? '')
    if (from === undefined) return { ...answer, rttMs: null, says: 'this node has no address on the overlay' }
    try {
      const echo = await this.#echoes.ask(container, from, undefined)
      if (echo.is === 'answered') return { ...answer, rttMs: echo.rttMs, says: null }
      return { ...answer, rttMs: null, says: echo.is === 'refused' ? echo.says : null }
    } catch (error) {
      return { ...answer, rttMs: null, says: error instanceof Error ? error.message : String(error) }
    }
  }

  close(): void {
    this.#echoes.close()
  }
}

/** It lies in the peer's subnet, and is no address of its node. */
function isContainer(meant: Ip, { subnet, address, publicIp }: PeerStatus): boolean {
  const within = parsePrefix(subnet)
  if (within?.family !== meant.family || !prefixContains(within, meant)) return false
  return ![address, publicIp].includes(meant.text)
}
