/** Packets of UDP over IPv4 as their octets, right or not. */
export interface Packet {
  readonly source: string
  readonly destination: string
  /** Of both ends. */
  readonly port: number
  readonly payload: Buffer
  readonly ttl: number
  /** A multiple of four. */
  readonly options: Buffer
  /** Flags and offset. */
  readonly fragment: number
  /** In place of a header of UDP and the payload. */
  readonly transport: Buffer
  readonly firstOctet: number
  /** Leaves the header's checksum wrong. */
  readonly damage: boolean
}

const octets = (address: string): Buffer => Buffer.from(address.split('.').map(Number))

/** The sum of 16-bit words (RFC 1071); 0xffff over what holds its right checksum. `first` is of a pseudo header's numbers. */
export function sumOf(bytes: Uint8Array, addresses: Uint8Array = Buffer.alloc(0), first = 0): number {
  let sum = first
  for (const part of [addresses, bytes])
    part.forEach((octet, at) => {
      sum += at % 2 === 0 ? octet * 256 : octet
    })
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
  return sum
}

function udpOf({
  source,
  destination,
  port,
  payload,
}: Pick<Packet, 'source' | 'destination' | 'port' | 'payload'>): Buffer {
  const udp = Buffer.concat([Buffer.alloc(8), payload])
  udp.writeUInt16BE(port, 0)
  udp.writeUInt16BE(port, 2)
  udp.writeUInt16BE(udp.length, 4)
  const pseudo = Buffer.concat([octets(source), octets(destination)])
  udp.writeUInt16BE(sumOf(udp, pseudo, 17 + udp.length) ^ 0xffff || 0xffff, 6)
  return udp
}

export function packetOf({
  ttl = 64,
  options = Buffer.alloc(0),
  fragment = 0,
  damage = false,
  ...rest
}: Partial<Packet> & Pick<Packet, 'source' | 'destination' | 'port' | 'payload'>): Buffer {
  const transport = rest.transport ?? udpOf(rest)
  const header = Buffer.concat([Buffer.alloc(12), octets(rest.source), octets(rest.destination), options])
  header.writeUInt8(rest.firstOctet ?? 0x40 + header.length / 4, 0)
  header.writeUInt16BE(header.length + transport.length, 2)
  header.writeUInt16BE(7, 4)
  header.writeUInt16BE(fragment, 6)
  header.writeUInt8(ttl, 8)
  header.writeUInt8(17, 9)
  header.writeUInt16BE(sumOf(header) ^ (damage ? 0xfffe : 0xffff), 10)
  return Buffer.concat([header, transport])
}

/** What a packet's header says. */
export function readPacket(packet: Buffer) {
  const address = (at: number): string => [...packet.subarray(at, at + 4)].join('.')
  return {
    source: address(12),
    destination: address(16),
    ttl: packet.readUInt8(8),
    protocol: packet.readUInt8(9),
    isRight: sumOf(packet.subarray(0, (packet.readUInt8(0) & 15) * 4)) === 0xffff,
  }
}
