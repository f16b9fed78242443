import { curesOf } from '../../doctor/condition-cures.ts'
import { REACHES, type Reach } from '../../probe/reach.ts'
import {
  isRefusing,
  STORE_NAMES,
  type ConditionStatus,
  type PeerStatus,
  type StatusDocument,
} from '../../status/document.ts'
import { commonPlace } from '../model/common.ts'
import {
  count,
  duration,
  EFFECT_LEVELS,
  EFFECT_WORDS,
  headlineOf,
  missedOf,
  ownConditions,
  secondsBetween,
  milliseconds,
  number,
  REACH_LEVELS,
  REACH_WORDS,
  SIGNS,
  storeText,
  type Headline,
  type Level,
} from '../model/words.ts'
import { byId, clockTime, el, fill, mark, say } from './dom.ts'

/** What is wrong first, big, in words. */
export class HeadlineView {
  readonly #banner = byId('banner')
  readonly #icon = byId('icon')
  #last: StatusDocument | undefined

  show(status: StatusDocument, peers: readonly PeerStatus[]): void {
    this.#last = status
    this.#head(headlineOf(status), status)
    say(byId('node'), `${status.node.hostname} · flanneld ${status.agent.version}`)
    say(byId('asof'), `as of ${clockTime(status.at)}`)
    fill(byId('tiles'), ...tiles(status))
    showWrong(status, peers)
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

function tiles(status: StatusDocument): readonly HTMLElement[] {
  const { peers, lease, store, families, pending, rejected, firewall, agent } = status
  const [endpoint] = store.endpoints.filter(({ isUp }) => isUp === true)
  const missed = missedOf(peers)
  const latency = endpoint === undefined ? '' : `, ${milliseconds(endpoint.latencyMs)}`
  return [
    tile('Peers', missed > 0 ? 'bad' : 'good', peersText(peers), peers.probes.isOn ? 'reached' : 'not asked'),
    lease === null
      ? tile('Lease', 'bad', 'none', 'no subnet yet')
      : tile('Lease', 'good', lease.subnets.join(', '), leaseText(lease.secondsLeft)),
    tile(
      STORE_NAMES[store.kind],
      store.isUp && !isRefusing(store) ? 'good' : 'bad',
      storeText(store),
      `for ${duration(secondsBetween(store.since, status.at))}${latency}`,
    ),
    ...families.map(familyTile),
    tile('Pending', pending.total > 0 ? 'warn' : 'good', number(pending.total), 'entries'),
    tile('Rejected', rejected.total > 0 ? 'warn' : 'good', number(rejected.total), 'leases'),
    firewallTile(firewall),
    tile('Agent', 'good', `up ${duration(agent.uptimeSeconds)}`, `process ${agent.pid}`),
  ]
}

const peersText = ({ total, byReach, families, probes }: StatusDocument['peers']): string =>
  probes.isOn ? `${number(byReach.reachable)} of ${number(total * Math.max(1, families.length))}` : number(total)

function familyTile({ family, tables, device, underlay }: StatusDocument['families'][number]): HTMLElement {
  const isBehind = tables.pending > 0 || !tables.synced
  const level = underlay.hasCarrier ? (isBehind ? 'warn' : 'good') : 'bad'
  const text = tables.pending > 0 ? `${number(tables.pending)} pending` : tables.synced ? 'in step' : 'not read yet'
  return tile(
    `IPv${family}`,
    level,
    underlay.hasCarrier ? text : 'no carrier',
    `${device?.name ?? 'routes'} over ${underlay.interface}`,
  )
}

function firewallTile({ holds, isWanted, kind, repairs }: StatusDocument['firewall']): HTMLElement {
  if (!isWanted) return tile('Firewall', 'none', 'no rules', 'none are wanted')
  if (holds === null) return tile('Firewall', 'none', 'not seen yet', '')
  const detail = `${kind ?? ''}${repairs === 0 ? '' : `, ${count(repairs, 'repair')}`}`
  return holds ? tile('Firewall', 'good', 'in place', detail) : tile('Firewall', 'bad', 'not in place', detail)
}

const leaseText = (secondsLeft: number | null): string =>
  secondsLeft === null ? 'does not expire' : `${duration(secondsLeft)} left`

/** Conditions with what to do, and the peers that are not reached. */
function showWrong(status: StatusDocument, peers: readonly PeerStatus[]): void {
  const missed = peers.filter(isMissed)
  const conditions = missed.length > 0 ? ownConditions(status) : status.conditions
  const waiting = (status.configuration?.waitsForRestart ?? []).map((text) =>
    el('li.wrong', {}, mark('none', SIGNS.none, 'waits'), el('h3', {}, 'A restart is due'), el('p', {}, text)),
  )
  const all = [...conditions.map(conditionCard), ...missedCards(missed, peers), ...waiting]
  const isWrong = conditions.some(({ effect }) => effect !== 'none') || missed.length > 0
  say(byId('wrong-title'), isWrong ? 'What is wrong' : 'Worth knowing')
  byId('wrong').hidden = all.length === 0
  fill(byId('wrong-list'), ...all)
}

function conditionCard({ what, reason, effect, since, forSeconds }: ConditionStatus): HTMLElement {
  return el(
    'li.wrong',
    {},
    mark(EFFECT_LEVELS[effect], SIGNS[EFFECT_LEVELS[effect]], EFFECT_WORDS[effect]),
    el('h3', {}, what),
    el('p', {}, reason),
    ...curesOf(what, reason).map((cure) => el('p.todo', {}, `→ ${cure}`)),
    el('p.since', {}, `since ${clockTime(since)}, for ${duration(forSeconds)}`),
  )
}

/** Up to so many peers have a card each; of more, those of one state share one. */
const MOST_CARDS = 4
const MOST_NAMES = 8

const isMissed = ({ reach }: PeerStatus): boolean => REACH_LEVELS[reach] === 'bad' || REACH_LEVELS[reach] === 'warn'

function missedCards(missed: readonly PeerStatus[], all: readonly PeerStatus[]): readonly HTMLElement[] {
  if (missed.length <= MOST_CARDS) return missed.map(cardOf)
  const reached = all.filter(({ reach }) => reach === 'reachable')
  return REACHES.flatMap((reach) => {
    const some = missed.filter((peer) => peer.reach === reach)
    return some.length === 0 ? [] : [groupCard(reach, some, reached)]
  })
}

const opener = ({ subnet, name }: PeerStatus): HTMLElement =>
  el('button.opener', { type: 'button', 'data-subnet': subnet, 'data-key': `wrong ${subnet}` }, name)

const reachMark = (reach: Reach): HTMLElement =>
  mark(REACH_LEVELS[reach], SIGNS[REACH_LEVELS[reach]], REACH_WORDS[reach])

const cardOf = (peer: PeerStatus): HTMLElement =>
  el(
    'li.wrong',
    {},
    reachMark(peer.reach),
    el('h3', {}, opener(peer)),
    el('p', {}, `${peer.subnet} at ${peer.publicIp}${whyText(peer)}`),
    el('p.todo', {}, 'See where it ends: ', el('code', {}, `flanneld doctor --peer ${peer.subnet}`)),
    el('p.since', {}, `since ${clockTime(peer.reachSince)}`),
  )

function groupCard(reach: Reach, some: readonly PeerStatus[], reached: readonly PeerStatus[]): HTMLElement {
  const shown = some.slice(0, MOST_NAMES)
  const names = shown.flatMap((peer, at) => [at === 0 ? '' : ', ', opener(peer)])
  const more =
    some.length > shown.length ? ` and ${number(some.length - shown.length)} more, all in the table below` : ''
  const last =
    some
      .map((peer) => peer.reachSince)
      .sort()
      .at(-1) ?? ''
  const place = commonPlace(some, reached)
  return el(
    'li.wrong',
    {},
    reachMark(reach),
    el('h3', {}, count(some.length, 'peer')),
    place && el('p', {}, `All of them are in ${place.text}, where nobody is reached: look there first.`),
    el('p', {}, ...names, more),
    el('p.todo', {}, 'See why: ', el('code', {}, 'flanneld doctor')),
    el('p.since', {}, `the last one since ${clockTime(last)}`),
  )
}

function whyText({ underlay, passesOctets }: PeerStatus): string {
  if (passesOctets !== null) return `: packets of up to ${passesOctets} octets pass`
  if (underlay === null) return ''
  if (underlay.says !== null) return `: ${underlay.says}`
  return underlay.answers
    ? ': its address on the underlay answers'
    : ': its address on the underlay does not answer either'
}
