import { DEVICE } from '../../lab/use-lab.ts'
import { RUNNING_OR_DOWN, type Fault, type Scene } from './table.ts'

const shell =
  (script: string) =>
  ({ host }: Scene): Promise<string> =>
    host.place.exec('sh', ['-ec', script])

const REPLACED = { foreign: 'none', recreates: true, outcome: 'back with the same MAC and address' } as const

/** What somebody does to the VXLAN device itself. */
export const DEVICE_FAULTS: readonly Fault[] = [
  {
    fault: 'a deleted device',
    users: 'no peer is reached',
    inflict: shell(`ip link delete ${DEVICE}`),
    ...REPLACED,
  },
  {
    fault: 'a renamed device',
    users: 'nothing, but that whoever looks for it does not find it',
    moments: RUNNING_OR_DOWN,
    inflict: shell(`ip link set ${DEVICE} name elsewhere`),
    ...REPLACED,
  },
  {
    fault: 'a device replaced by one with another VNI',
    users: 'no peer is reached',
    inflict: shell(`ip link delete ${DEVICE}; ip link add ${DEVICE} type vxlan id 99 dstport 8472 dev eth0`),
    // A running agent would be faster than the script.
    moments: ['while the agent is down', 'while the agent is frozen'],
    ...REPLACED,
  },
  {
    fault: 'a device set down',
    users: 'no peer is reached: the kernel drops the routes with it',
    inflict: shell(`ip link set ${DEVICE} down`),
    foreign: 'addresses',
  },
  {
    fault: 'a device set down and up',
    users: 'packets to every peer leave by the default route',
    moments: RUNNING_OR_DOWN,
    inflict: shell(`ip link set ${DEVICE} down; ip link set ${DEVICE} up`),
    foreign: 'addresses',
  },
  {
    fault: 'a device held without carrier by protodown',
    users: 'no peer is reached',
    moments: RUNNING_OR_DOWN,
    inflict: shell(`ip link set ${DEVICE} protodown on`),
    ...REPLACED,
  },
  {
    fault: 'a lowered MTU of the device',
    users: 'large packets are fragmented or refused',
    moments: RUNNING_OR_DOWN,
    inflict: shell(`ip link set ${DEVICE} mtu 1280`),
  },
  {
    fault: 'a changed MAC of the device',
    users: 'what the peers send is dropped',
    inflict: shell(`ip link set ${DEVICE} address 82:00:00:00:00:98`),
    moments: RUNNING_OR_DOWN,
  },
  {
    fault: 'a removed address of the device',
    users: 'packets from the host itself come from an address that no peer answers',
    moments: RUNNING_OR_DOWN,
    inflict: shell(`ip address delete $(ip -4 -o address show dev ${DEVICE} | grep -o '10[.0-9]*/32') dev ${DEVICE}`),
  },
  {
    fault: 'all addresses of the device flushed',
    users: 'no peer is reached: the kernel drops the routes with the last address',
    inflict: shell(`ip -4 address flush dev ${DEVICE}`),
    foreign: 'none',
  },
  {
    fault: 'another overlay address on the device',
    users: 'packets from the host itself may come from an address that no peer answers',
    outcome: 'removed, foreign ones left',
    moments: RUNNING_OR_DOWN,
    inflict: shell(`ip address add 10.249.0.0/32 dev ${DEVICE}`),
  },
  {
    fault: 'a changed alias of the device',
    users: 'nothing but another name in ip link',
    moments: RUNNING_OR_DOWN,
    inflict: shell(`ip link set ${DEVICE} alias somebody-else`),
  },
  {
    fault: 'a device put into a bridge',
    users: 'what the peers send is bridged and not routed',
    inflict: shell(`ip link add br9 type bridge; ip link set ${DEVICE} master br9`),
    undo: shell('ip link delete br9'),
  },
]
