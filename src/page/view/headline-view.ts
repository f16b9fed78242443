import { REACHES, type Reach } from '../../probe/reach.ts'
import type { StatusDocument } from '../../status/document.ts'
import { adviceFor } from '../model/advice.ts'
import {
  count,
  duration,
  EFFECT_LEVELS,
  EFFECT_WORDS,
  headlineOf,
  milliseconds,
  number,
  reachedText,
  REACH_LEVELS,
  REACH_WORDS,
  SIGNS,
  type Headline,
  type Level,
} from '../model/words.ts'
import { byId, clockTime, el, fill, mark, say } from './dom.ts'

/** What is wrong first, big, in words. */
export class HeadlineView {
  readonly #banner = byId('banner')
  readonly #icon = byId('icon')
  #last: StatusDocument | undefined

  show(status: StatusDocument): void {
    this.#last = status
    this.#head(headlineOf(status), status)
    say(byId('node'), `${status.node.hostname} · flanneld ${status.agent.version}`)
    say(byId('asof'), `as of ${clockTime(status.at)}`)
    fill(byId('tiles'), ...tiles(status))
    showWrong(status)
  }

  /** It does not answer. */
  lose(reason: string): void {
    const { at } = this.#last ?? {}
    const detail = at === undefined ? reason : `What you see below is as of ${clockTime(at)}. ${reason}`
    this.#head({ level: 'bad', title: 'The agent does not answer', detail }, this.#last)
    say(byId('asof'), at === undefined ? '' : `as of ${clockTime(at)}`)
    document.body.classList.add('stale')
  }

  #head({ level, title, detail }: Headline, status: StatusDocument | undefined): void {
    document.body.classList.remove('stale')
    if (this.#banner.className !== `banner ${level}`) this.#banner.className = `banner ${level}`
    say(byId('sign'), SIGNS[level])
    say(byId('title'), title)
    say(byId('detail'), detail)
    const name = status?.node.hostname ?? 'flannel'
    document.title = level === 'good' ? name : `${SIGNS[level]} ${name}: ${title}`
    const icon = iconFor(level)
    if (this.#icon.getAttribute('href') !== icon) this.#icon.setAttribute('href', icon)
  }
}

const ICON_COLOURS: Readonly<Record<Level, string>> = {
  good: '#0b6e4f',
  warn: '#8a5200',
  bad: '#b3261e',
  none: '#5f6b76',
}

/** The tab itself shows how things are. */
const iconFor = (level: Level): string =>
  `data:image/svg+xml,${encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="${ICON_COLOURS[level]}"/>` +
      `<text x="8" y="12" font-size="11" text-anchor="middle" fill="#fff">${SIGNS[level]}</text></svg>`,
  )}`

const tile = (name: string, level: Level, value: string, detail: string): HTMLElement =>
  el(
    'li.tile',
    {},
    el('span.name', {}, name),
    mark(level, SIGNS[level], el('strong', {}, value)),
    el('span.detail', {}, detail),
  )

const MS_PER_SECOND = 1_000

function tiles(status: StatusDocument): readonly HTMLElement[] {
  const { peers, lease, store, families, pending, rejected, firewall, agent } = status
  const [endpoint] = store.endpoints.filter(({ isUp }) => isUp === true)
  const missed = peers.byReach.unreachable + peers.byReach.mtu + peers.byReach.lossy
  const age = (Date.parse(status.at) - Date.parse(store.since)) / MS_PER_SECOND
  return [
    tile(
      'Peers',
      missed > 0 ? 'bad' : 'good',
      `${number(peers.total - missed)} of ${number(peers.total)}`,
      reachedText(peers),
    ),
    lease === null
      ? tile('Lease', 'bad', 'none', 'no subnet yet')
      : tile('Lease', 'good', lease.subnets.join(', '), leaseText(lease.secondsLeft)),
    tile(
      'etcd',
      store.isUp ? 'good' : 'bad',
      store.isUp ? 'answers' : 'out of reach',
      `for ${duration(age)}${endpoint === undefined ? '' : `, in ${milliseconds(endpoint.latencyMs)}`}`,
    ),
    ...families.map(({ family, tables, device, underlay }) =>
      tile(
        `IPv${family}`,
        !underlay.hasCarrier ? 'bad' : tables.pending > 0 || !tables.synced ? 'warn' : 'good',
        tables.pending > 0 ? count(tables.pending, 'row') + ' pending' : 'in step',
        `${device?.name ?? 'no device'} over ${underlay.interface}, ${underlay.publicIp}${underlay.hasCarrier ? '' : ', no carrier'}`,
      ),
    ),
    tile('Pending', pending.total > 0 ? 'warn' : 'good', number(pending.total), 'entries not as they should be'),
    tile('Rejected', rejected.total > 0 ? 'warn' : 'good', number(rejected.total), 'leases of others'),
    tile(
      'Firewall',
      firewall.holds === false ? 'bad' : firewall.isWanted ? 'good' : 'none',
      firewall.holds === false ? 'rules missing' : firewall.isWanted ? 'rules in place' : 'not wanted',
      firewall.kind === null ? '' : `${firewall.kind}, ${count(firewall.repairs, 'repair')}`,
    ),
    tile('Agent', 'good', `up ${duration(agent.uptimeSeconds)}`, `process ${agent.pid}, ${agent.commit}`),
  ]
}

const leaseText = (secondsLeft: number | null): string =>
  secondsLeft === null ? 'does not expire' : `renewed in time; ${duration(secondsLeft)} left`

/** Conditions with what to do, and the first of the peers that are not reached. */
function showWrong({ conditions, peers, configuration }: StatusDocument): void {
  const items = conditions.map(({ what, reason, effect, since, forSeconds }) => {
    const { says, command } = adviceFor(what)
    return el(
      'li.wrong',
      {},
      mark(EFFECT_LEVELS[effect], SIGNS[EFFECT_LEVELS[effect]], EFFECT_WORDS[effect]),
      el('h3', {}, what),
      el('p', {}, reason),
      el('p.todo', {}, `${says} `, el('code', {}, command)),
      el('p.since', {}, `since ${clockTime(since)}, for ${duration(forSeconds)}`),
    )
  })
  const missed = missedCards(peers)
  const waiting = (configuration?.waitsForRestart ?? []).map((text) =>
    el('li.wrong', {}, mark('none', SIGNS.none, 'waits'), el('h3', {}, 'A restart is due'), el('p', {}, text)),
  )
  const all = [...items, ...missed, ...waiting]
  byId('wrong').hidden = all.length === 0
  fill(byId('wrong-list'), ...all)
}

type Missed = StatusDocument['peers']['notReachable'][number]

/** Up to so many peers have a card each; of more, those of one state share one. */
const MOST_CARDS = 4
const MOST_NAMES = 8

function missedCards({ notReachable, byReach }: StatusDocument['peers']): readonly HTMLElement[] {
  if (notReachable.length <= MOST_CARDS) return notReachable.map(cardOf)
  return REACHES.flatMap((reach) => {
    const named = notReachable.filter((peer) => peer.reach === reach)
    return named.length === 0 ? [] : [groupCard(reach, byReach[reach], named)]
  })
}

const opener = ({ subnet, name }: Missed): HTMLElement =>
  el('button.opener', { type: 'button', 'data-subnet': subnet, 'data-key': `wrong ${subnet}` }, name)

const reachMark = (reach: Reach): HTMLElement =>
  mark(REACH_LEVELS[reach], SIGNS[REACH_LEVELS[reach]], REACH_WORDS[reach])

const cardOf = (peer: Missed): HTMLElement =>
  el(
    'li.wrong',
    {},
    reachMark(peer.reach),
    el('h3', {}, opener(peer)),
    el('p', {}, `${peer.subnet} at ${peer.publicIp}${whyText(peer)}`),
    el('p.todo', {}, 'See where it ends: ', el('code', {}, `flanneld doctor --peer ${peer.subnet}`)),
    el('p.since', {}, `since ${clockTime(peer.reachSince)}`),
  )

function groupCard(reach: Reach, all: number, named: readonly Missed[]): HTMLElement {
  const shown = named.slice(0, MOST_NAMES)
  const names = shown.flatMap((peer, at) => [at === 0 ? '' : ', ', opener(peer)])
  const more = all > shown.length ? ` and ${number(all - shown.length)} more, all in the table below` : ''
  const since = named.map((peer) => peer.reachSince).sort()
  return el(
    'li.wrong',
    {},
    reachMark(reach),
    el('h3', {}, count(all, 'peer')),
    el('p', {}, ...names, more),
    el('p.todo', {}, 'Let the agent look for what they have in common: ', el('code', {}, 'flanneld doctor')),
    el('p.since', {}, `the last one since ${clockTime(since.at(-1) ?? '')}`),
  )
}

function whyText({ underlay, passesOctets }: Missed): string {
  if (passesOctets !== null) return `: packets of up to ${passesOctets} octets pass`
  if (underlay === null) return ''
  if (underlay.says !== null) return `: ${underlay.says}`
  return underlay.answers
    ? ': its address on the underlay answers'
    : ': its address on the underlay does not answer either'
}
