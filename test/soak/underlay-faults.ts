import { UNDERLAY } from '../lab/underlay.ts'
import { atOnce, linkOf, nothing, seconds, type Fault, type Lasting, type Machine } from './fault.ts'
import type { SeededRandom } from './random.ts'

const MTUS = [1300, 1400, 1500]
/** Hosts have 10 and up; the second address of each is this much higher. */
const OTHER_ADDRESS_OFFSET = 100
const ETCD_PORT = 2379

/** Between the two addresses of the machine, as a DHCP server might. */
async function changeAddress(machine: Machine): Promise<void> {
  const { host } = machine
  const octet = Number(host.address.split('.').at(-1))
  machine.address = machine.address === host.address ? UNDERLAY.address(octet + OTHER_ADDRESS_OFFSET) : host.address
  await host.setUnderlayAddress(machine.address)
}

async function changeMtu(machine: Machine, random: SeededRandom): Promise<void> {
  machine.underlayMtu = random.pick(MTUS.filter((mtu) => mtu !== machine.underlayMtu)) ?? machine.underlayMtu
  await machine.host.setUnderlayMtu(machine.underlayMtu)
}

async function cutCable({ host }: Machine, random: SeededRandom): Promise<Lasting> {
  await host.faults.cut()
  return { forMs: seconds(1, 6, random), end: () => host.faults.restore() }
}

async function losePackets({ host }: Machine, random: SeededRandom): Promise<Lasting> {
  await host.faults.drop(random.between(20, 100))
  return { forMs: seconds(1, 8, random), end: () => host.faults.drop(0) }
}

export const UNDERLAY_FAULTS: readonly Fault[] = [
  {
    name: 'address of the underlay changed',
    weight: 2,
    locks: (machine) => [linkOf(machine)],
    strike: atOnce((_, machine) => changeAddress(machine)),
  },
  {
    name: 'MTU of the underlay changed',
    weight: 2,
    locks: (machine) => [linkOf(machine)],
    strike: atOnce((_, machine, random) => changeMtu(machine, random)),
  },
  {
    name: 'cable pulled for seconds',
    weight: 2,
    locks: (machine) => [linkOf(machine)],
    strike: (_, machine, random) => cutCable(machine, random),
  },
  {
    name: 'packets lost for seconds',
    weight: 2,
    locks: (machine) => [linkOf(machine)],
    strike: (_, machine, random) => losePackets(machine, random),
  },
  {
    name: 'connections to etcd cut',
    weight: 3,
    locks: nothing,
    strike: atOnce((_, { host }) => host.place.attempt('ss', ['-K', 'dport', '=', `:${ETCD_PORT}`])),
  },
]
