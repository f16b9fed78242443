import type { FdbEntry, Neighbour, Route } from '../lab/index.ts'
import { atOnce, DEVICE, nothing, type Fault, type Machine } from './fault.ts'
import type { SeededRandom } from './random.ts'

type Make<T> = (entry: T) => readonly [command: 'ip' | 'bridge', ...args: string[]]

/** Runs a command that may find its object gone: another fault was faster. */
const attempt = ({ host }: Machine, command: string, args: readonly string[]): Promise<unknown> =>
  host.place.attempt(command, args)

/** A fault on the device that needs no more than one command. */
const onDevice = (name: string, weight: number, ...[command, ...args]: [string, ...string[]]): Fault => ({
  name,
  weight,
  locks: nothing,
  strike: atOnce((_, machine) => attempt(machine, command, args)),
})

type Table = 'neighbours' | 'fdb' | 'routes'
interface Rows {
  readonly neighbours: Neighbour
  readonly fdb: FdbEntry
  readonly routes: Route
}

/** A fault on one entry of a table, chosen at random. */
function onEntry<T extends Table>(name: string, weight: number, table: T, make: Make<Rows[T]>): Fault {
  const strike = async (machine: Machine, random: SeededRandom): Promise<void> => {
    const entry = random.pick(await readRows(machine, table))
    if (entry === undefined) return
    const [command, ...args] = make(entry)
    await attempt(machine, command, args)
  }
  return { name, weight, locks: nothing, strike: atOnce((_, machine, random) => strike(machine, random)) }
}

/** Empty when there is no device at the moment. */
async function readRows<T extends Table>({ host }: Machine, table: T): Promise<readonly Rows[T][]> {
  const tables: { readonly [K in Table]: readonly Rows[K][] } = await host
    .peerTables(DEVICE)
    .catch(() => ({ neighbours: [], fdb: [], routes: [] }))
  return tables[table]
}

const routeArgs = ({ destination, metric }: Route): string[] => [destination, 'dev', DEVICE, 'metric', `${metric}`]
const WRONG_MAC = '02:00:00:00:0b:ad'

export const KERNEL_FAULTS: readonly Fault[] = [
  onEntry('neighbour deleted', 4, 'neighbours', ({ address }) => ['ip', 'neighbour', 'del', address, 'dev', DEVICE]),
  onEntry('fdb entry deleted', 4, 'fdb', ({ mac, remote }) => [
    'bridge',
    'fdb',
    'del',
    mac,
    'dev',
    DEVICE,
    'dst',
    remote,
  ]),
  onEntry('route deleted', 4, 'routes', (route) => ['ip', 'route', 'del', ...routeArgs(route)]),
  onEntry('neighbour altered', 3, 'neighbours', ({ address }) => [
    'ip',
    'neighbour',
    'replace',
    address,
    'lladdr',
    WRONG_MAC,
    'dev',
    DEVICE,
    'nud',
    'permanent',
  ]),
  onEntry('fdb entry altered', 3, 'fdb', ({ mac }) => [
    'bridge',
    'fdb',
    'replace',
    mac,
    'dev',
    DEVICE,
    'dst',
    '192.168.205.199',
    'self',
    'permanent',
  ]),
  onEntry('route altered', 3, 'routes', (route) => [
    'ip',
    'route',
    'replace',
    ...routeArgs(route),
    'proto',
    '70',
    'scope',
    'link',
  ]),
  onDevice(
    'entry of nobody added',
    2,
    'ip',
    'neighbour',
    'replace',
    '10.127.0.0',
    'lladdr',
    WRONG_MAC,
    'dev',
    DEVICE,
    'nud',
    'permanent',
  ),
  onDevice('all neighbours flushed', 1, 'ip', 'neighbour', 'flush', 'nud', 'all', 'dev', DEVICE),
  onDevice(
    'all fdb entries flushed',
    1,
    'sh',
    '-c',
    `bridge fdb show dev ${DEVICE} | while read -r mac _ remote _; do bridge fdb del "$mac" dev ${DEVICE} dst "$remote"; done`,
  ),
  onDevice('all routes flushed', 1, 'ip', 'route', 'flush', 'dev', DEVICE),
  onDevice('device deleted', 3, 'ip', 'link', 'delete', DEVICE),
  onDevice('device set down', 3, 'ip', 'link', 'set', DEVICE, 'down'),
  onDevice('MTU of the device changed', 2, 'ip', 'link', 'set', DEVICE, 'mtu', '1200'),
  onDevice('MAC of the device changed', 2, 'ip', 'link', 'set', DEVICE, 'address', '02:00:00:0b:ad:00'),
  onDevice('addresses of the device flushed', 2, 'ip', 'address', 'flush', 'dev', DEVICE),
]
