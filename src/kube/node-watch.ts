import type { IncomingMessage } from 'node:http'
import { StoreError, type WatchStatus } from '../lease/store.ts'
import { isObject } from '../config/json.ts'
import { backoffMs, type BackoffSpec } from '../time/backoff.ts'
import type { Clock, Random } from '../time/clock.ts'
import { broken, unanswered, wordsOf, type Operation } from './client/errors.ts'
import type { KubeClient } from './client/kube-client.ts'
import type { NodeChange, NodeWatchEvent } from './nodes/node-store.ts'
import { linesOf, readWatchLine, type WatchLine } from './read-watch.ts'

export interface NodeWatchTools {
  readonly client: KubeClient
  readonly clock: Clock
  readonly random: Random
  readonly annotationPrefix: string
  readonly silenceMs?: number
}

/**
 * After so long without a word a watch is opened anew from where it stands, in milliseconds: one that is dead is found within the minute,
 * whatever has taken it in between. Where there are more than a few Nodes, their heartbeats say something all the time; and where there are
 * few, asking costs little.
 */
const SILENCE_MS = 45_000
/** At most 4.2 s, so that an API server that is back has been found, and followed, within 5 s. */
const RECONNECT: BackoffSpec = { firstMs: 100, mostMs: 3_000, jitter: 0.4 }
/** A stream that lived for less, in milliseconds, does not show that the next one will. */
const STEADY_AFTER_MS = 5_000
/** Seconds after which the server is to end a watch, and as many again by chance: so all need not come back at once. */
const ASKED_SECONDS = 300

const WATCH: Operation = { op: 'watch of Nodes', verb: 'watch', resource: 'nodes' }
const POSITION: Operation = { op: 'position of Nodes', verb: 'list', resource: 'nodes' }

type Expired = Extract<NodeWatchEvent, { kind: 'expired' }>
/** How a stream ended; `over`: the server ended it in order. */
type Ending = 'over' | 'silent' | StoreError | Expired

/** One watch of all Nodes: a stream after another, each beginning where the one before ended. */
export class NodeWatch {
  readonly #tools: NodeWatchTools
  readonly #status: WatchStatus
  #position: string
  #isDown = false
  #failures = 0
  #openedAtMs = 0

  constructor(tools: NodeWatchTools, resourceVersion: string, status: WatchStatus) {
    this.#tools = tools
    this.#position = resourceVersion
    this.#status = status
  }

  async *run(signal: AbortSignal): AsyncGenerator<NodeWatchEvent, void, undefined> {
    const { clock, random } = this.#tools
    for (let isInDoubt = false; !signal.aborted;) {
      const ended: Ending = yield* this.#stream(isInDoubt, signal)
      if (isStopped(signal)) return
      if (typeof ended === 'object' && 'kind' in ended) {
        yield ended
        return
      }
      isInDoubt = ended !== 'over'
      if (ended instanceof StoreError) this.#failed(ended)
      const livedMs = clock.monotonicMs() - this.#openedAtMs
      this.#failures = livedMs >= STEADY_AFTER_MS ? 0 : this.#failures + 1
      if (this.#failures > 0) await clock.sleep(backoffMs(RECONNECT, this.#failures, random), signal)
    }
  }

  /** @param isInDoubt whether our position is still one of the server's history */
  async *#stream(isInDoubt: boolean, signal: AbortSignal): AsyncGenerator<NodeWatchEvent, Ending, undefined> {
    this.#openedAtMs = this.#tools.clock.monotonicMs()
    try {
      const expired = isInDoubt ? await this.#verify(signal) : undefined
      if (expired !== undefined) return expired
      const body = await this.#tools.client.open(WATCH, this.#path, signal)
      this.#openedAtMs = this.#tools.clock.monotonicMs()
      this.#connected()
      return yield* this.#follow(body, signal)
    } catch (error) {
      return this.#endingOf(error)
    }
  }

  /** A watch from a position that is still to come would wait for it without a word: an API server restored from a backup is behind us. */
  async #verify(signal: AbortSignal): Promise<Expired | undefined> {
    const list = await this.#tools.client.ask(POSITION, { method: 'GET', path: '/api/v1/nodes?limit=1' }, signal)
    const metadata = isObject(list) && isObject(list['metadata']) ? list['metadata'] : {}
    const { resourceVersion } = metadata
    if (typeof resourceVersion !== 'string' || !isBefore(resourceVersion, this.#position)) return undefined
    const reason = `it is at resourceVersion ${resourceVersion}, and was at ${this.#position} before`
    return { kind: 'expired', reason, wasReset: true }
  }

  get #path(): string {
    const query = new URLSearchParams({
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#position,
      timeoutSeconds: String(Math.round(ASKED_SECONDS * (1 + this.#tools.random()))),
    })
    return `/api/v1/nodes?${query.toString()}`
  }

  async *#follow(body: IncomingMessage, signal: AbortSignal): AsyncGenerator<NodeWatchEvent, Ending, undefined> {
    const silence = { isOver: false }
    const timer = setTimeout(() => {
      silence.isOver = true
      body.destroy()
    }, this.#tools.silenceMs ?? SILENCE_MS)
    const stop = (): void => {
      body.destroy()
    }
    signal.addEventListener('abort', stop)
    try {
      for await (const lines of linesOf(body)) {
        timer.refresh()
        const { changes, ending } = this.#take(lines)
        if (changes.length > 0) yield { kind: 'changes', changes }
        if (ending !== undefined) return ending
      }
      return silence.isOver ? 'silent' : 'over'
    } catch (error) {
      if (silence.isOver) return 'silent'
      throw error
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      body.destroy()
    }
  }

  #take(lines: readonly Buffer[]): { readonly changes: readonly NodeChange[]; readonly ending: Ending | undefined } {
    const changes: NodeChange[] = []
    for (const line of lines) {
      const said = readWatchLine(line, this.#tools.annotationPrefix)
      if (said === undefined) return { changes, ending: broken(WATCH, this.#tools.client.url, 'a line is no event') }
      if (said.kind === 'error') return { changes, ending: this.#endingFor(said) }
      if (said.kind === 'bookmark') this.#position = said.resourceVersion
      else {
        const { kind, node } = said
        if (node.resourceVersion !== '') this.#position = node.resourceVersion
        changes.push({ kind, node })
      }
    }
    return { changes, ending: undefined }
  }

  #endingFor({ code, words }: Extract<WatchLine, { kind: 'error' }>): Ending {
    if (code === 410) return { kind: 'expired', reason: words.sentence, wasReset: false }
    return broken(WATCH, this.#tools.client.url, `it ended with ${code}${wordsOf(words)}`)
  }

  #endingOf(error: unknown): Ending {
    if (!(error instanceof StoreError)) return unanswered(WATCH, this.#tools.client.url, error)
    return error.code === 'OUT_OF_RANGE' ? { kind: 'expired', reason: error.message, wasReset: false } : error
  }

  #connected(): void {
    this.#isDown = false
    this.#status.onConnected?.()
  }

  #failed(error: StoreError): void {
    if (this.#isDown) this.#status.onStillAway?.(error)
    else this.#status.onDisconnected?.(error)
    this.#isDown = true
  }
}

const isStopped = (signal: AbortSignal): boolean => signal.aborted

/** Both are numbers, and the one is the smaller (KEP-5504: they can be compared as such). */
const isBefore = (one: string, other: string): boolean =>
  /^\d{1,30}$/.test(one) && /^\d{1,30}$/.test(other) && BigInt(one) < BigInt(other)
