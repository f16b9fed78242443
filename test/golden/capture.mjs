// Records what iproute2 says to the kernel, and the kernel to iproute2, byte by byte: `node test/golden/capture.mjs` writes
// messages.json. Needs strace and iproute2; runs in a network namespace of its own.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const TARGET = fileURLToPath(new URL('messages.json', import.meta.url))
const TRACE = `${TARGET}.trace`
const INSIDE = 'FLANNEL_GOLDEN_INSIDE'

/** The stage: an underlay card (a veth pair) and a device that requests refer to, whose index comes out as 4. */
const STAGE = [
  'ip link set lo up',
  'ip link add under0 type veth peer name under1',
  'ip addr add 192.0.2.1/24 dev under0',
  'ip link set under0 up',
  'ip link set under1 up',
  'ip route add default via 192.0.2.254',
  'ip link add flannel.100 mtu 1450 address 02:00:00:00:00:01 type vxlan id 100 local 192.0.2.1 dev under0 dstport 8472 nolearning',
  'ip link set flannel.100 addrgenmode none',
  'ip link set flannel.100 up',
  'ip addr add 10.1.0.0/32 dev flannel.100',
]

/** Requests whose bytes ours are compared with. */
const REQUESTS = {
  'link.create':
    'ip link add vx7 mtu 1400 address 02:00:00:00:00:07 type vxlan id 7 local 192.0.2.1 dev under0 ttl 9 nolearning udpcsum dstport 7890 gbp',
  'link.create over IPv6':
    'ip link add vx8 mtu 1380 address 02:00:00:00:00:08 type vxlan id 8 local 2001:db8::1 learning noudpcsum dstport 8472',
  'link.alias': 'ip link set vx7 alias overlay',
  'link.set up': 'ip link set flannel.100 up',
  'link.set down': 'ip link set flannel.100 down',
  'link.set mtu': 'ip link set flannel.100 mtu 1400',
  'link.set mac': 'ip link set flannel.100 address 02:00:00:00:00:02',
  'link.set master': 'ip link set flannel.100 nomaster',
  'link.set addressGeneration': 'ip link set flannel.100 addrgenmode none',
  'link.set up again': 'ip link set flannel.100 up',
  'link.delete': 'ip link del vx7',
  'address.add': 'ip addr replace 10.15.64.0/32 dev flannel.100',
  'address.add IPv6': 'ip addr replace fd00::1/128 dev flannel.100 nodad',
  'address.delete': 'ip addr del 10.15.64.0/32 dev flannel.100',
  'neighbour.replace': 'ip neigh replace 10.16.0.0 lladdr 02:00:00:00:aa:01 dev flannel.100 nud permanent',
  'neighbour.replace IPv6': 'ip neigh replace fd00:16:: lladdr 02:00:00:00:aa:01 dev flannel.100 nud permanent',
  'fdb.replace': 'bridge fdb replace 02:00:00:00:aa:01 dst 192.0.2.9 dev flannel.100 self permanent',
  'fdb.replace IPv6': 'bridge fdb replace 02:00:00:00:aa:02 dst 2001:db8::9 dev vx8 self permanent',
  'route.replace': 'ip route replace 10.16.0.0/20 via 10.16.0.0 dev flannel.100 onlink proto 70 metric 4242',
  'route.replace IPv6': 'ip -6 route replace fd00:16::/64 via fd00:16:: dev flannel.100 onlink proto 70 metric 4242',
  'route.replace without gateway': 'ip route replace 10.17.0.0/20 dev flannel.100 proto 70 metric 7',
  'route.replace blackhole': 'ip route replace blackhole 10.18.0.0/20 proto 70 metric 4242',
  lookup: 'ip route get 10.16.0.7',
  neighbours: 'ip -4 neigh show dev flannel.100',
  fdb: 'bridge fdb show dev flannel.100',
  routes: 'ip -4 route show dev flannel.100',
}

/** RTM_GETLINK and RTM_NEWLINK: names of devices are looked up with them before and after what is asked for. */
const [GETLINK, NEWLINK] = [18, 16]

/** Answers that the decoder has to understand. */
const ANSWERS = {
  links: 'ip -d link show',
  'link by name': 'ip -d link show flannel.100',
  addresses: 'ip addr show',
  neighbours: 'ip neigh show nud all',
  fdb: 'bridge fdb show',
  'routes IPv4': 'ip -4 route show table all',
  'routes IPv6': 'ip -6 route show table all',
  'a lookup': 'ip route get 10.16.0.7',
  refusal: 'ip route replace 10.19.0.0/20 via 10.99.0.1 dev flannel.100',
}

/** Messages that end up in the answers but that no request above makes. */
const EXTRAS = [
  'ip link add br0 type bridge',
  'ip link property add dev under0 altname uplink altname a-name-that-is-longer-than-fifteen',
  'ip link set vx8 master br0',
  'ip link set br0 up',
  'ip route add 10.20.0.0/16 nexthop via 192.0.2.7 dev under0 nexthop via 192.0.2.8 dev under0',
  'ip route add 10.21.0.0/16 via inet6 fe80::1 dev under0',
  'ip route add 10.22.0.0/16 via 192.0.2.7 dev under0 src 192.0.2.1 mtu 1300 realm 5',
  'ip route add 10.23.0.0/16 encap ip id 9 dst 192.0.2.9 via 192.0.2.7 dev under0',
  'ip route add 10.24.0.0/16 via 192.0.2.7 dev under0 tos 0x10',
  'ip -6 route add fd00:25::/64 via fd00:25:: dev flannel.100 onlink expires 600',
  'ip -6 route add fd00:26::/64 via fd00:26:: dev flannel.100 onlink metric 5',
  'ip -6 route append fd00:26::/64 via fd00:27:: dev flannel.100 onlink metric 5',
  'bridge fdb append 00:00:00:00:00:00 dst 192.0.2.77 dev flannel.100 self permanent',
  'bridge fdb add 02:00:00:00:aa:03 dst 192.0.2.9 port 4789 vni 7 via under0 dev flannel.100 self permanent',
]

const shell = (command) => execFileSync('sh', ['-c', command], { encoding: 'utf8' })

/** Runs a command and returns what it sent and received, one entry per system call. */
function trace(command) {
  const filter = ['-e', 'trace=sendmsg,sendto,recvmsg', '-e', 'write=3,4,5', '-e', 'read=3,4,5', '-e', 'signal=none']
  spawnSync('strace', ['-o', TRACE, ...filter, 'sh', '-c', `exec ${command}`], { encoding: 'utf8' })
  const calls = readFileSync(TRACE, 'utf8').split(/^(?=(?:sendmsg|sendto|recvmsg)\()/m)
  rmSync(TRACE)
  return calls
    .filter((call) => /^(?:sendmsg|sendto|recvmsg)\([0-9]+/.test(call) && !call.includes('MSG_PEEK'))
    .map((call) => ({ sent: call.startsWith('send'), hex: hexOf(call) }))
    .filter(({ hex }) => hex !== '')
}

/** strace's dump: offset, sixteen octets in two groups, text. */
const hexOf = (call) =>
  [...call.matchAll(/^ \| [0-9a-f]{5,} {2}(.{49})/gm)].map(([, octets]) => octets.replaceAll(/[^0-9a-f]/g, '')).join('')

const typeOf = (hex) => Buffer.from(hex, 'hex').readUInt16LE(4)

/** The message alone: iproute2 sends its buffer behind it along with some queries. */
const messageOf = (hex) => hex.slice(0, Buffer.from(hex, 'hex').readUInt32LE(0) * 2)

function capture() {
  for (const command of STAGE) shell(command)
  const requests = Object.entries(REQUESTS).map(([name, command]) => {
    const sent = trace(command).filter((call) => call.sent && typeOf(call.hex) !== GETLINK)
    return { name, command, bytes: messageOf(sent.at(-1).hex) }
  })
  for (const command of EXTRAS) shell(command)
  const answers = Object.entries(ANSWERS).map(([name, command]) => {
    const wanted = command.includes(' link ') ? () => true : ({ hex }) => typeOf(hex) !== NEWLINK
    const datagrams = trace(command).filter((call) => !call.sent && wanted(call))
    return { name, command, datagrams: datagrams.map(({ hex }) => hex) }
  })
  const kernel = shell('uname -r').trim().split('-')[0]
  const iproute2 = shell('ip -V').match(/iproute2-([^,\s]+)/)[1]
  writeFileSync(
    TARGET,
    `${JSON.stringify({ iproute2, kernel, stage: STAGE, extras: EXTRAS, requests, answers }, null, 2)}\n`,
  )
}

if (process.env[INSIDE]) capture()
else {
  const unshare = ['--user', '--map-root-user', '--net', process.execPath, fileURLToPath(import.meta.url)]
  execFileSync('unshare', unshare, { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1' } })
}
