/** Our forwarder without an agent around it, told as `plain-udp.c` is: DEVICE ADDRESS PORT MTU SUBNET. */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { openTun, startForwarder } from '../../../src/native/udp-forwarder.ts'

const number = (address = ''): number => address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)

const [device = '', address, port, mtu, own] = process.argv.slice(2)
const tun = openTun(device)
if (typeof tun === 'string') throw new Error(`no device: ${tun}`)
const settings = { address: number(address), port: Number(port), own: number(own), ownLength: 24, mtu: Number(mtu) }
const forwarder = startForwarder(tun, settings)
if (typeof forwarder === 'string') throw new Error(`no socket: ${forwarder}`)

const peers: number[] = []
const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const [subnet, length, publicIp] = line.split(' ')
  if (subnet !== '.') return void peers.push(number(subnet), Number(length), number(publicIp))
  forwarder.setPeers(Uint32Array.from(peers))
  process.stdout.write('ready\n')
})
await once(lines, 'close')
tun.close()
