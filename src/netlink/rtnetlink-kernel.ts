import { setImmediate } from 'node:timers/promises'
import type { Family, Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import {
  KernelError,
  type AddressState,
  type Kernel,
  type KernelChange,
  type KernelOp,
  type KernelRows,
  type KernelTables,
  type LinkState,
  type NeighbourState,
  type OpResult,
  type RouteAnswer,
  type RouteLookup,
  type RouteQuestion,
  type RouteState,
  type RuleState,
  type SelectiveRoute,
} from '../kernel/kernel.ts'
import type { RouteSelection } from '../kernel/route-selection.ts'
import { readAddress, writeAddressQuery } from './codec/address.ts'
import { sendBatch } from './batch.ts'
import {
  EACCES,
  EAFNOSUPPORT,
  EHOSTUNREACH,
  EINVAL,
  ENETUNREACH,
  ENODEV,
  ENOENT,
  EOPNOTSUPP,
  fault,
} from './codec/errors.ts'
import { Conversation } from './conversation.ts'
import { readLink, writeLinkQuery } from './codec/link.ts'
import { LinkNames } from './link-names.ts'
import { ChangeListener } from './listener.ts'
import type { TunDevice } from '../kernel/tun.ts'
import { loadAddon, type NetlinkAddon } from '../native/load.ts'
import { type LinkNamer } from './codec/operation.ts'
import { chained, fdbOf, neighboursOf, routesOf } from './table-queries.ts'
import { dump, lookUp, record, type Query } from './query.ts'
import { ROUTE_PROTOCOL } from '../kernel/marks.ts'
import { prefix } from '../net/prefix.ts'
import type { MessageCursor } from './codec/reader.ts'
import { askAll } from './questions.ts'
import { readLookup, readSelectiveRoute, writeRouteLookup, writeRouteQuery } from './codec/route.ts'
import { readRule, writeRuleQuery } from './codec/rule.ts'
import { NetlinkSocket } from './socket.ts'
import { openTunDevice } from './tun.ts'
import { Mutex } from '../time/mutex.ts'

export interface RtnetlinkOptions {
  /** Where the addon comes from; default {@link loadAddon}. */
  readonly addon?: NetlinkAddon
  /** Receive buffer of the request socket, bytes. The system may grant less. */
  readonly requestBufferBytes?: number
  /** Receive buffer of each subscription, bytes. */
  readonly listenerBufferBytes?: number
  /** Longest wait for an answer. The kernel answers at once, so this is for answers that were lost. */
  readonly timeoutMs?: number
  /** Operations per send. */
  readonly batchSize?: number
}

/** Error replies wait in the receive buffer until the whole batch is sent: this many fit even the system's default. */
const BATCH_SIZE = 192
const REQUEST_BUFFER_BYTES = 1 << 20
const LISTENER_BUFFER_BYTES = 4 << 20
const TIMEOUT_MS = 5_000
/** How long operations are sent before others get a turn, in milliseconds. */
const MOST_WITHOUT_A_TURN_MS = 5

/** There is none like this: its destination is for documentation (RFC 5737). */
const NO_ROUTE: KernelOp = {
  ...{ op: 'route.delete', type: 'blackhole', destination: prefix('192.0.2.0/24') },
  ...{ metric: 0xffff_fff0, protocol: ROUTE_PROTOCOL },
}

/** What has been asked of the kernel so far. */
export interface RequestCounts {
  /** Operations sent by `apply`. */
  readonly writes: number
  /** Operations and queries by name. */
  readonly byOp: Readonly<Record<string, number>>
  /** Operations of `apply` that did not succeed, refused or without an answer; and queries that failed. */
  readonly errors: number
  /** Reports of changes that were lost, as often as that was noticed: what they said was read again. */
  readonly overruns: number
}

/** The {@link Kernel} port over rtnetlink(7): one socket for requests, one at a time, and one for each subscription. */
export class RtnetlinkKernel implements Kernel {
  readonly #addon: NetlinkAddon
  readonly #options: RtnetlinkOptions
  readonly #socket: NetlinkSocket
  readonly #conversation: Conversation
  readonly #listeners = new Set<ChangeListener>()
  readonly #counts = new Map<string, number>()
  readonly #mutex = new Mutex()
  readonly #names = new LinkNames()
  readonly #nameOf: LinkNamer = (index) => this.#names.nameOf(index)
  readonly #readLink = (message: MessageCursor): LinkState | undefined => this.#names.note(readLink(message))
  #writes = 0
  #errors = 0
  #overruns = 0

  /** @throws {KernelError} when no socket can be had; {AddonError} when there is no addon */
  constructor(options: RtnetlinkOptions = {}) {
    this.#options = options
    this.#addon = options.addon ?? loadAddon()
    this.#socket = new NetlinkSocket(this.#addon, options.requestBufferBytes ?? REQUEST_BUFFER_BYTES)
    this.#conversation = new Conversation(this.#socket, options.timeoutMs ?? TIMEOUT_MS)
  }

  /** Requests sent so far, repeated dumps counted once. */
  stats(): RequestCounts {
    return {
      ...{ writes: this.#writes, errors: this.#errors, overruns: this.#overruns },
      byOp: Object.fromEntries(this.#counts),
    }
  }

  /** The kernel asks for the right before it looks for what is to be deleted (rtnetlink_rcv_msg). */
  async mayWrite(signal: AbortSignal): Promise<boolean> {
    this.#count('rights')
    const send = (): Promise<readonly OpResult[]> => sendBatch(this.#conversation, [NO_ROUTE], this.#nameOf)
    const [result] = await this.#inTurn('rights', signal, send)
    return result?.ok !== false || result.error.code !== 'EPERM'
  }

  links(signal: AbortSignal): Promise<readonly LinkState[]> {
    return this.#dump({ name: 'links', write: writeLinkQuery, read: this.#readLink }, signal)
  }

  link(name: string, signal: AbortSignal): Promise<LinkState | undefined> {
    const query: Query<LinkState> = {
      name: 'link',
      write: (writer, sequence) => {
        writeLinkQuery(writer, sequence, name)
      },
      read: this.#readLink,
    }
    return this.#lookUp(query, name, [ENODEV], signal)
  }

  addresses(signal: AbortSignal): Promise<readonly AddressState[]> {
    return this.#dump({ name: 'addresses', write: writeAddressQuery, read: readAddress }, signal)
  }

  lookup(destination: Ip, signal: AbortSignal): Promise<RouteLookup | undefined> {
    const query: Query<RouteLookup> = {
      name: 'lookup',
      write: (writer, sequence) => {
        writeRouteLookup(writer, destination, sequence)
      },
      read: readLookup,
    }
    // Each kind of unreachable route has an errno of its own; a blackhole's is EINVAL.
    return this.#lookUp(query, destination.text, [ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL], signal)
  }

  async answers(questions: readonly RouteQuestion[], signal: AbortSignal): Promise<readonly RouteAnswer[]> {
    const size = this.#options.batchSize ?? BATCH_SIZE
    const answers: RouteAnswer[] = []
    while (answers.length < questions.length) {
      const batch = questions.slice(answers.length, answers.length + size)
      this.#count('answers')
      answers.push(...(await this.#inTurn('answers', signal, () => askAll(this.#conversation, batch))))
    }
    return answers
  }

  /** A namespace without a main table has none. */
  selectiveRoutes(family: Family, signal: AbortSignal): Promise<readonly SelectiveRoute[]> {
    const query: Query<SelectiveRoute> = {
      name: 'routes',
      write: (writer, sequence) => {
        writeRouteQuery(writer, family, {}, sequence)
      },
      read: readSelectiveRoute,
    }
    return this.#dump(query, signal).catch(unlessErrno([ENOENT], []))
  }

  /** A kernel that knows no rules has none. */
  rules(family: Family, signal: AbortSignal): Promise<readonly RuleState[]> {
    const query: Query<RuleState> = {
      name: 'rules',
      write: (writer, sequence) => {
        writeRuleQuery(writer, family, sequence)
      },
      read: readRule,
    }
    return this.#dump(query, signal).catch(unlessErrno([EOPNOTSUPP, EAFNOSUPPORT], []))
  }

  /** A namespace in which no route was ever made has no main table yet: ENOENT. */
  routes(family: Family, signal: AbortSignal, selection: RouteSelection = {}): Promise<readonly RouteState[]> {
    return this.#dump(routesOf(family, selection), signal).catch(unlessErrno([ENOENT], []))
  }

  async snapshot(linkIndex: number, families: readonly Family[], signal: AbortSignal): Promise<KernelTables> {
    const { neighbours, fdb, routes } = await this.rows(linkIndex, families, signal)
    return { neighbours: [...neighbours], fdb: [...fdb], routes: [...routes] }
  }

  async rows(linkIndex: number, families: readonly Family[], signal: AbortSignal): Promise<KernelRows> {
    const neighbours: Iterable<NeighbourState>[] = []
    const routes: Iterable<RouteState>[] = []
    const fdb = await this.#record(fdbOf(linkIndex), signal)
    for (const family of families) {
      neighbours.push(await this.#record(neighboursOf(family, linkIndex), signal))
      routes.push(await this.#record(routesOf(family, { linkIndex }), signal).catch(unlessErrno([ENOENT], [])))
    }
    return { neighbours: chained(neighbours), fdb, routes: chained(routes) }
  }

  async apply(ops: readonly KernelOp[], signal: AbortSignal): Promise<readonly OpResult[]> {
    const results = await this.#inTurn('apply', signal, () => this.#applyAll(ops, signal))
    if (!this.#hear()) await setImmediate()
    return results
  }

  /** Whoever reads without awaiting anything else does so in microtasks, all of which run before the next turn of the event loop. */
  openTun(pattern: string, signal: AbortSignal): Promise<TunDevice> {
    this.#count('tun.open')
    return this.#inTurn('tun.open', signal, () => Promise.resolve().then(() => openTunDevice(pattern)))
  }

  async catchUp(): Promise<void> {
    this.#hear()
    await setImmediate()
  }

  /** Has the subscriptions take in what the kernel has reported. @returns whether their readers have read all of it */
  #hear(): boolean {
    let isRead = true
    for (const listener of this.#listeners) {
      listener.catchUp()
      isRead &&= listener.queue.isRead
    }
    return isRead
  }

  changes(
    watched: () => readonly number[],
    signal: AbortSignal,
    otherRoutes: () => boolean = () => false,
    isOfInterest: (destination: Prefix) => boolean = () => false,
  ): AsyncIterable<KernelChange> {
    const bufferBytes = this.#options.listenerBufferBytes ?? LISTENER_BUFFER_BYTES
    const about = { watched, otherRoutes, isOfInterest }
    const onLost = (): void => {
      this.#overruns++
    }
    const listener = new ChangeListener(this.#addon, bufferBytes, this.#socket.portId, { ...about, onLost })
    const end = (): void => {
      signal.removeEventListener('abort', end)
      this.#listeners.delete(listener)
      listener.close()
    }
    this.#listeners.add(listener)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
    return listener.queue.read(end)
  }

  /** Ends all subscriptions; requests under way and later ones reject with code `CLOSED`. */
  close(): void {
    this.#socket.close()
    for (const listener of this.#listeners) listener.close()
    this.#listeners.clear()
  }

  /** Reports are heard batch by batch, so that they do not pile up however many operations there are. */
  async #applyAll(ops: readonly KernelOp[], signal: AbortSignal): Promise<OpResult[]> {
    const size = this.#options.batchSize ?? BATCH_SIZE
    const results: OpResult[] = []
    let turnMs = performance.now()
    while (results.length < ops.length && !signal.aborted) {
      const batch = ops.slice(results.length, results.length + size)
      for (const listener of this.#listeners) listener.expect(batch)
      for (const result of await this.#applyBatch(batch)) results.push(result)
      const isRead = this.#hear()
      if (results.length === ops.length || (isRead && performance.now() - turnMs < MOST_WITHOUT_A_TURN_MS)) continue
      await setImmediate()
      turnMs = performance.now()
    }
    return results
  }

  /** Carries out some from the front of `ops`, at least one. A link's creation ends its batch: the alias is set right after it. */
  async #applyBatch(ops: readonly KernelOp[]): Promise<OpResult[]> {
    const creation = ops.findIndex(({ op }) => op === 'link.create')
    const results = await sendBatch(this.#conversation, creation < 0 ? ops : ops.slice(0, creation + 1), this.#nameOf)
    this.#writes += results.length
    this.#errors += results.filter(({ ok }) => !ok).length
    for (let index = 0; index < results.length; index++) this.#count(ops[index]?.op ?? '')
    const last = ops[results.length - 1]
    if (last?.op !== 'link.create' || results.at(-1)?.ok !== true || last.spec.alias === '') return results
    const { name, alias } = last.spec
    return [
      ...results.slice(0, -1),
      ...(await sendBatch(this.#conversation, [{ op: 'link.alias', name, alias }], this.#nameOf)),
    ]
  }

  #dump<T>(query: Query<T>, signal: AbortSignal): Promise<T[]> {
    return this.#asking(query, signal, dump)
  }

  #record<T>(query: Query<T>, signal: AbortSignal): Promise<Iterable<T>> {
    return this.#asking(query, signal, record)
  }

  #asking<T, A>(
    query: Query<T>,
    signal: AbortSignal,
    ask: (conversation: Conversation, query: Query<T>, aborted: () => boolean) => Promise<A>,
  ): Promise<A> {
    this.#count(query.name)
    const asked = (): Promise<A> => ask(this.#conversation, query, () => signal.aborted)
    return this.#inTurn(query.name, signal, () => asked().catch(this.#failed))
  }

  /** Undefined for a refusal with one of the errnos that mean there is no such thing. */
  #lookUp<T>(query: Query<T>, target: string, none: readonly number[], signal: AbortSignal): Promise<T | undefined> {
    this.#count(query.name)
    const answer = this.#inTurn(query.name, signal, () => lookUp(this.#conversation, query, target))
    return answer.catch(unlessErrno(none, undefined))
  }

  /** One conversation at a time on the request socket. */
  #inTurn<T>(name: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    const begin = (): Promise<T> => {
      if (this.#socket.isClosed()) throw fault(name, '', 'CLOSED')
      return task()
    }
    return this.#mutex.take(begin, { signal, error: () => fault(name, '', 'ABORTED') })
  }

  /** A query that failed. @throws the same */
  readonly #failed = (error: unknown): never => {
    this.#errors++
    throw error
  }

  #count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }
}

/** Turns a refusal with one of these errnos into `instead`, and lets every other error pass on. */
function unlessErrno<T>(errnos: readonly number[], instead: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof KernelError && errnos.includes(error.errno)) return instead
    throw error
  }
}
