// A node of another making: one IPv4 packet is one UDP datagram, nothing before it. It answers pings to all addresses of its subnet.
// `ADDRESS PORT` · `ADDRESS PORT forge SOURCE DESTINATION TO`: sends pings that pretend to come from SOURCE, ten a second
import { createSocket } from 'node:dgram'

const [address, port, mode, source, destination, to] = process.argv.slice(2)
const socket = createSocket('udp4')

/** RFC 1071. */
function checksum(bytes) {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] << 8) | (bytes[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
  return ~sum & 0xffff
}

/** An echo (type 8) or its answer (type 0), as RFC 791 and 792 have them. */
function packetOf(from, target, type, rest) {
  const packet = Buffer.alloc(24 + rest.length)
  packet.set([0x45, 0])
  packet.writeUInt16BE(packet.length, 2)
  packet.set([64, 1], 8)
  packet.set(from, 12)
  packet.set(target, 16)
  packet.writeUInt16BE(checksum(packet.subarray(0, 20)), 10)
  packet[20] = type
  packet.set(rest, 24)
  packet.writeUInt16BE(checksum(packet.subarray(20)), 22)
  return packet
}

const octets = (text) => text.split('.').map(Number)

socket.on('message', (packet, { address: peer, port: peerPort }) => {
  const header = (packet[0] & 15) * 4
  const isEcho = packet[0] >> 4 === 4 && packet[9] === 1 && packet[header] === 8
  process.stdout.write(
    `from ${peer}:${peerPort} ttl ${packet[8]} length ${packet.length} ${isEcho ? 'echo' : 'other'}\n`,
  )
  if (!isEcho || checksum(packet.subarray(0, header)) !== 0) return
  const answer = packetOf(packet.subarray(16, 20), packet.subarray(12, 16), 0, packet.subarray(header + 4))
  socket.send(answer, peerPort, peer)
})

socket.bind(Number(port), address, () => {
  process.stdout.write('ready\n')
  if (mode !== 'forge') return
  const rest = Buffer.from([0, 7, 0, 1])
  setInterval(() => {
    socket.send(packetOf(octets(source), octets(destination), 8, rest), Number(port), to)
  }, 100)
})
