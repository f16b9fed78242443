import { setTimeout as delay } from 'node:timers/promises'
import { withMtu } from './state.ts'
import type { Fault, Scene } from './table.ts'

/** How long a cable or a card is out. */
const OUT_MS = 300

async function replaceCard({ host }: Scene): Promise<void> {
  await host.unplug()
  await delay(OUT_MS)
  await host.replug()
}

async function flapCarrier({ host }: Scene): Promise<void> {
  await host.faults.cut()
  await delay(OUT_MS)
  await host.faults.restore()
}

/** A network manager that restarts takes the card down and configures it anew. */
async function reconfigureCard({ host }: Scene): Promise<void> {
  await host.place.ipBatch(['address flush dev eth0', 'link set eth0 down'])
  await host.setUnderlayAddress(host.address)
}

const MTU_UNDO = ({ host }: Scene): Promise<void> => host.setUnderlayMtu(1500)

/** What happens to the network card that carries the overlay. */
export const UNDERLAY_FAULTS: readonly Fault[] = [
  {
    fault: 'an underlay interface deleted and made anew',
    users: 'no peer is reached until the card is back: the kernel deletes the device with it',
    inflict: replaceCard,
    foreign: 'none',
    recreates: true,
    outcome: 'device back with the same MAC and address',
  },
  {
    fault: 'a flapping carrier of the underlay',
    users: 'packets are lost while the cable is out',
    inflict: flapCarrier,
  },
  {
    fault: 'an underlay interface reconfigured by a network manager',
    users: 'packets are lost while the card is down',
    inflict: reconfigureCard,
  },
  {
    fault: 'a lowered MTU of the underlay',
    users: 'new containers get the lower MTU',
    inflict: ({ host }) => host.setUnderlayMtu(1400),
    expected: withMtu(1350),
    outcome: 'device and subnet file follow',
    undo: MTU_UNDO,
  },
  {
    fault: 'a raised MTU of the underlay',
    users: 'new containers get the higher MTU',
    inflict: ({ host }) => host.setUnderlayMtu(9000),
    expected: withMtu(8950),
    outcome: 'device and subnet file follow',
    undo: MTU_UNDO,
  },
]
