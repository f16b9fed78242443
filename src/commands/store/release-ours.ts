import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { giveBack } from '../../cleanup/give-back.ts'
import { ownDevices } from '../../cleanup/plan.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import type { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import { HostTakenError } from '../../host/claim/sole-agent.ts'
import { readPreviousSubnets } from '../../host/subnet-env.ts'
import { systemClock } from '../../host/system-clock.ts'
import { ROUTE_PROTOCOL } from '../../kernel/marks.ts'
import { RtnetlinkKernel } from '../../netlink/rtnetlink-kernel.ts'
import { asJson, type Asking, type Said } from '../asking/asking.ts'
import type { DaemonSettings } from '../settings/daemon-settings.ts'
import { claimThisHost } from '../this-host.ts'
import { ownNodeId, sayTo } from './place.ts'

/** Whoever gets the subnet next must not meet a host that still uses it. */
const STILL_USED =
  'nothing is given back: devices or routes of the overlay still stand on this host; flanneld cleanup --release takes both away, in the right order'

/** Gives the lease of this host back, as cleanup --release does, and keeps an agent from starting meanwhile. */
export async function releaseOurs(asked: Asking, store: EtcdLeaseStore, settings: DaemonSettings): Promise<Said> {
  const kernel = new RtnetlinkKernel()
  try {
    const giveUp = await claimThisHost(sayTo(asked), asked.signal)
    try {
      return await release(asked, store, kernel, settings)
    } finally {
      giveUp()
    }
  } catch (error) {
    if (!(error instanceof HostTakenError)) throw error
    asked.complain(error.message)
    return { text: '', code: EXIT.failed }
  } finally {
    kernel.close()
  }
}

async function release(
  asked: Asking,
  store: EtcdLeaseStore,
  kernel: RtnetlinkKernel,
  { options }: DaemonSettings,
): Promise<Said> {
  const { signal } = asked
  const [links, addresses] = [await kernel.links(signal), await kernel.addresses(signal)]
  const routes = [...(await kernel.routes(4, signal)), ...(await kernel.routes(6, signal))]
  if (ownDevices({ links, addresses }).length > 0 || routes.some(({ protocol }) => protocol === ROUTE_PROTOCOL)) {
    asked.complain(STILL_USED)
    return { text: '', code: EXIT.failed }
  }
  const id = await ownNodeId(options.nodeId)
  if (id === undefined) {
    asked.complain('nothing is given back: this host has no machine id; --node-id says who it is')
    return { text: '', code: EXIT.usage }
  }
  const node = { id, hostname: hostname() }
  const host = { node, addresses, links, subnets: await readPreviousSubnets(options.subnetFile) }
  const ports = { store, prefix: options.etcd.prefix, clock: systemClock, random: Math.random, instance: randomUUID() }
  const { released, kept, failures } = await giveBack(ports, host, false, signal)
  failures.forEach(sayTo(asked))
  const lines = [
    ...released.map(
      (name) => `gave back ${name}; the agent of this host takes it again when it starts, as long as it is free`,
    ),
    ...kept.map((name) => `left alone ${name}`),
    ...(released.length + kept.length + failures.length === 0 ? ['this host has no lease'] : []),
  ]
  const text = asked.isJson
    ? asJson({ version: 1, released, kept, failures })
    : lines.map((line) => `${line}\n`).join('')
  return { text, code: failures.length === 0 ? EXIT.done : EXIT.failed }
}
