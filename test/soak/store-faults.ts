import { ETCD_PREFIX } from '../lab/lab.ts'
import { atOnce, seconds, STORE, type Fault, type Lasting, type Machine, type World } from './fault.ts'
import type { SeededRandom } from './random.ts'

const WIPE_EVERY_MS = 120_000
/** How many peers do not come back after a wipe. */
const LOST_PEERS = 5

const occupyStore = (): readonly string[] => [STORE]

function freeze({ lab }: World, random: SeededRandom): Promise<Lasting> {
  const { member } = lab.etcd
  member.freeze()
  const end = (): Promise<void> => {
    member.thaw()
    return Promise.resolve()
  }
  return Promise.resolve({ forMs: seconds(1, 8, random), end })
}

async function restartAfter(signal: 'SIGTERM' | 'SIGKILL', { lab }: World, random: SeededRandom): Promise<Lasting> {
  await lab.etcd.member.stop(signal)
  return { forMs: seconds(0, 6, random), end: () => lab.etcd.restart() }
}

async function revoke({ lab }: World, { leaseName }: Machine): Promise<void> {
  const answer = await lab.etcdctl('get', `${ETCD_PREFIX}/subnets/${leaseName}`, '-w', 'json')
  // A number of 64 bits, which JSON.parse would round.
  const id = /"lease":(\d+)/.exec(answer)?.[1]
  if (id === undefined) return
  // The agent may have changed to another one in between.
  await lab.etcdctl('lease', 'revoke', BigInt(id).toString(16)).catch(() => undefined)
}

/** Etcd refuses to compact the same revision twice. */
async function compact({ lab }: World): Promise<void> {
  const revision = await lab.revision()
  const isCompacted = (await lab.etcdctl('get', '--rev', `${revision - 1}`, 'x').catch(() => undefined)) === undefined
  if (!isCompacted) await lab.etcdctl('compact', `${revision}`)
}

/** A new, empty etcd at the same address; the configuration and the peers that live come back. */
async function wipe(world: World, random: SeededRandom): Promise<void> {
  const { lab, peers } = world
  await lab.etcd.member.stop('SIGKILL')
  lab.etcd.member.wipe()
  peers.lose(LOST_PEERS, random)
  await lab.etcd.restart()
  await world.putConfig()
  await peers.republish()
}

const onStore = (
  name: string,
  weight: number,
  make: (world: World, machine: Machine, random: SeededRandom) => Promise<unknown>,
): Fault => ({ name, weight, locks: occupyStore, strike: atOnce(make) })

const lasting = (name: string, make: (world: World, random: SeededRandom) => Promise<Lasting>): Fault => ({
  name,
  weight: 1,
  locks: occupyStore,
  strike: (world, _, random) => make(world, random),
})

export const STORE_FAULTS: readonly Fault[] = [
  onStore('peer added or removed', 8, ({ peers }, _, random) => peers.addOrRemove(random)),
  onStore('MAC and address of a peer changed', 5, ({ peers }, _, random) => peers.change(random)),
  onStore('history compacted', 3, (world) => compact(world)),
  onStore('own lease deleted', 2, ({ lab }, { leaseName }) => lab.deleteLease(leaseName)),
  onStore('etcd lease revoked', 2, revoke),
  lasting('etcd frozen for seconds', freeze),
  lasting('etcd killed and restarted', (world, random) => restartAfter('SIGKILL', world, random)),
  lasting('etcd stopped and restarted', (world, random) => restartAfter('SIGTERM', world, random)),
  { ...onStore('etcd wiped', 3, (world, _, random) => wipe(world, random)), atMostEveryMs: WIPE_EVERY_MS },
]
