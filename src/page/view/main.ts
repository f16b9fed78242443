import type { PeerStatus, PendingStatus, RejectedStatus, StatusEvent } from '../../status/document.ts'
import { clockTime, byId, fill, el, say } from './dom.ts'
import { EventsView } from './events-view.ts'
import { Feed, type Picture } from './feed.ts'
import { HeadlineView } from './headline-view.ts'
import { MapView } from './map-view.ts'
import { peersTable } from './peers-table.ts'
import { ReachView, type NodeView } from './reach-view.ts'
import { Source } from './source.ts'
import { Table } from './table.ts'
import { TimelineView } from './timeline-view.ts'
import { Neighbourhood } from './neighbourhood.ts'

/** `flanneld page` puts it into the address it prints, behind the "#", so that it is sent to nobody by itself. */
const key = new URLSearchParams(location.hash.slice(1)).get('key') ?? undefined

const pendingTable = new Table<PendingStatus>({
  caption: 'Entries that are not as they should be',
  what: 'row',
  keyOf: ({ table, row, family }) => `${family} ${table} ${row}`,
  columns: [
    { title: 'Row', value: ({ row }) => row },
    { title: 'Table', value: ({ table, family }) => `${table}, IPv${family}` },
    { title: 'Peer', value: ({ peer }) => peer ?? '–' },
    { title: 'Why', value: ({ why }) => why },
    { title: 'Tried again', value: ({ until }) => until ?? '', show: ({ until }) => (until === null ? 'at once' : clockTime(until)) }, // prettier-ignore
  ],
}).listen()

const rejectedTable = new Table<RejectedStatus>({
  caption: 'Leases of others that are not followed',
  what: 'lease',
  keyOf: ({ key: leaseKey }) => leaseKey,
  columns: [
    { title: 'Lease', value: ({ key: leaseKey }) => leaseKey },
    { title: 'Node', value: ({ name, publicIp }) => name ?? publicIp ?? '–' },
    { title: 'Why', value: ({ reason }) => reason },
  ],
}).listen()

/** Everything that is shown of one agent. */
class Page {
  readonly #headline = new HeadlineView()
  readonly #events = new EventsView()
  readonly #timeline = new TimelineView(byId('timeline'))
  readonly #peers = peersTable()
  readonly #reach: ReachView
  #maps: readonly MapView[] = []
  #mapsOf = ''
  #others: readonly NodeView[] = []
  #picture: Picture | undefined

  constructor() {
    const open = (subnet: string): void => {
      this.#peers.open(subnet)
    }
    this.#reach = new ReachView(byId('reach'), (peer: PeerStatus) => {
      open(peer.subnet)
    })
    byId('nodes').append(this.#peers.root)
    byId('pending').append(pendingTable.root)
    byId('rejected').append(rejectedTable.root)
    byId('wrong-list').addEventListener('click', ({ target }) => {
      const subnet = target instanceof Element ? target.closest<HTMLElement>('button')?.dataset['subnet'] : undefined
      if (subnet !== undefined) open(subnet)
    })
  }

  onPicture(picture: Picture): void {
    this.#picture = picture
    const { status, peers, pending, rejected } = picture
    this.#headline.show(status, peers)
    this.#timeline.show(status, this.#events.events)
    this.#peers.show(peers)
    this.#showReach()
    this.#showMaps(picture)
    pendingTable.show(pending.rows)
    rejectedTable.show(rejected.rows)
    byId('pending').hidden = pending.rows.length === 0
    byId('rejected').hidden = rejected.rows.length === 0
    byId('page').hidden = false
  }

  onEvents(events: readonly StatusEvent[]): void {
    this.#events.add(events)
  }

  onLost(reason: string): void {
    this.#headline.lose(reason)
    this.#timeline.lose(new Date().toISOString())
  }

  /** What the other agents say that `flanneld page --nodes` asks. */
  onOthers(others: readonly NodeView[]): void {
    this.#others = others
    this.#showReach()
  }

  #showReach(): void {
    if (this.#picture === undefined) return
    const { status, peers } = this.#picture
    this.#reach.show([{ name: status.node.hostname, peers }, ...this.#others])
  }

  #showMaps({ status, peers, rejected }: Picture): void {
    const networks = status.configuration?.networks ?? []
    const of = JSON.stringify(networks)
    if (of !== this.#mapsOf) {
      this.#mapsOf = of
      this.#maps = networks.map(
        (network) =>
          new MapView(network, (subnet) => {
            this.#peers.open(subnet)
          }),
      )
      fill(byId('maps'), ...this.#maps.map(({ root }) => root))
      if (networks.length === 0) fill(byId('maps'), el('p', {}, 'There is no network configuration yet.'))
    }
    for (const map of this.#maps) map.show({ status, peers, rejected: rejected.rows })
  }
}

function start(): void {
  const page = new Page()
  const feed = (source: Source): Feed => new Feed(source, page)
  if (key === undefined) feed(new Source('', '', undefined))
  else void new Neighbourhood(key, page, feed).start()
}

start()
say(byId('asof'), 'asking …')
