import { KernelError, type ErrnoName } from '../kernel/kernel.ts'
import type { ForwardedPeer, Forwarder, ForwarderCounts, ForwarderSettings, TunDevice } from '../kernel/tun.ts'
import { NUMBERS_OF_PEER, openTun, startForwarder, type ForwarderCounters, type Tun } from '../native/udp-forwarder.ts'
import { ipToInteger, type Ip } from '../net/ip.ts'
import { isErrnoName } from './codec/errors.ts'

/** The {@link TunDevice} port over the addon. @throws {KernelError} as the port says */
export function openTunDevice(pattern: string): TunDevice {
  const tun = openTun(pattern)
  if (typeof tun === 'string') throw refused('tun.open', pattern, tun)
  return {
    name: tun.name,
    forward: (settings) => startOn(tun, settings),
    close: () => {
      tun.close()
    },
  }
}

function startOn(tun: Tun, { address, port, subnet, mtu }: ForwarderSettings): Forwarder {
  const own = { own: numberOf(subnet.base), ownLength: subnet.length }
  const started = startForwarder(tun, { address: numberOf(address), port, mtu, ...own })
  if (typeof started === 'string') throw refused('udp.bind', `${address.text}:${port}`, started)
  return {
    setPeers: (peers) => {
      started.setPeers(rowsOf(peers))
    },
    setMtu: (octets) => {
      started.setMtu(octets)
    },
    counts: () => countsOf(started.counters()),
    failure: () => started.failure(),
    stop: () => {
      started.stop()
    },
  }
}

const rowsOf = (peers: readonly ForwardedPeer[]): Uint32Array =>
  Uint32Array.from(peers.flatMap(({ subnet, publicIp }) => [numberOf(subnet.base), subnet.length, numberOf(publicIp)]))

/** Of an IPv4 address. */
const numberOf = (ip: Ip): number => Number(ipToInteger(ip))

/** Of the totals, those of packets that were dropped on their way out or in. */
const IS_DROP = /^(out|in)[A-Z]/

function countsOf({ totals, peers }: ForwarderCounters): ForwarderCounts {
  const { sentPackets, sentOctets, receivedPackets, receivedOctets } = totals
  const drops = Object.fromEntries(Object.entries(totals).filter(([name]) => IS_DROP.test(name)))
  const traffic = (packets = 0, octets = 0): ForwarderCounts['sent'] => ({ packets, octets })
  const ofPeers = Array.from({ length: peers.length / NUMBERS_OF_PEER }, (_unused, at) => {
    const [sent, sentSize, received, receivedSize, refused = 0] = peers.subarray(at * NUMBERS_OF_PEER)
    return { sent: traffic(sent, sentSize), received: traffic(received, receivedSize), refused }
  })
  return {
    ...{ sent: traffic(sentPackets, sentOctets), received: traffic(receivedPackets, receivedOctets) },
    ...{ drops, peers: ofPeers },
  }
}

function refused(op: string, target: string, name: string): KernelError {
  const code: ErrnoName = isErrnoName(name) ? name : 'EIO'
  return new KernelError({ op, errno: 0, code, target, message: `${op} ${target}: ${code}` })
}
