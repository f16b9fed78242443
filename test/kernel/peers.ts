import { ip, ipFromInteger, ipToInteger } from '../../src/net/ip.ts'
import { locallyAdministeredMac, type Mac } from '../../src/net/mac.ts'
import { prefixOf, type Prefix } from '../../src/net/prefix.ts'
import type { KernelOp, VxlanSpec } from '../../src/kernel/kernel.ts'
import { check, type RealHarness } from './real-kernel.ts'

const PROTOCOL = '70'

interface Peer {
  readonly subnet: Prefix
  readonly mac: Mac
  readonly remote: ReturnType<typeof ip>
  readonly metric: number
}

/** Peer number `n` of at most 65 536, with a /28 of 12.0.0.0/12 (never routed here by anything else). */
export function peer(n: number): Peer {
  const base = ipFromInteger(4, ipToInteger(ip('12.0.0.0')) + BigInt(n * 16))
  const mac = locallyAdministeredMac(Uint8Array.of(2, 0, 0, 7, n >> 8, n & 0xff))
  return {
    subnet: prefixOf(base, 28),
    mac,
    remote: ipFromInteger(4, ipToInteger(ip('198.18.0.0')) + BigInt(n)),
    metric: 1000 + n,
  }
}

const routeOf = (linkIndex: number, { subnet, metric }: Peer) =>
  ({ destination: subnet, type: 'unicast', linkIndex, gateway: subnet.base, metric, protocol: PROTOCOL }) as const

export function addition(linkIndex: number, of: Peer): readonly KernelOp[] {
  return [
    { op: 'neighbour.replace', linkIndex, ip: of.subnet.base, mac: of.mac },
    { op: 'fdb.replace', linkIndex, mac: of.mac, remote: of.remote },
    { op: 'route.replace', ...routeOf(linkIndex, of), onlink: true },
  ]
}

export function removal(linkIndex: number, of: Peer): readonly KernelOp[] {
  return [
    { op: 'route.delete', ...routeOf(linkIndex, of) },
    { op: 'fdb.delete', linkIndex, mac: of.mac },
    { op: 'neighbour.delete', linkIndex, ip: of.subnet.base },
  ]
}

export const peers = (count: number): readonly Peer[] => Array.from({ length: count }, (_, n) => peer(n))

const SIGNAL_MS = 30_000

/** A VXLAN device, number `n` of the harness, with an address and up. @returns its index */
export async function makeVxlan(
  harness: RealHarness,
  n = 0,
  changed: Partial<VxlanSpec['vxlan']> = {},
): Promise<number> {
  const signal = AbortSignal.timeout(SIGNAL_MS)
  const { name, vni, port } = harness.device(n)
  const settings = {
    vni,
    port,
    local: ip('192.0.2.1'),
    underlayIndex: 0,
    learning: false,
    gbp: false,
    ttl: 0,
    udpChecksum: true,
  }
  const spec = { name, mac: locallyAdministeredMac(Uint8Array.of(0, 0, 0, 0, 1, n)), mtu: 1450, alias: 'kernel test' }
  check(
    await harness.other.apply([{ op: 'link.create', spec: { ...spec, vxlan: { ...settings, ...changed } } }], signal),
  )
  const linkIndex = (await harness.other.link(name, signal))?.index ?? 0
  const address = { linkIndex, ip: harness.subnet(100 + n).base, prefixLength: 32 }
  check(
    await harness.other.apply(
      [
        { op: 'link.set', linkIndex, up: true, addressGeneration: 'none' },
        { op: 'address.add', ...address },
      ],
      signal,
    ),
  )
  return linkIndex
}
