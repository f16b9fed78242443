import type { KernelChange } from '../../src/kernel/kernel.ts'

const DEADLINE_MS = 5_000

/** Reads a subscription in the background and lets a test wait for what it wants to see. */
export class ChangeRecorder {
  readonly seen: KernelChange[] = []
  /** Resolves when the subscription ends. */
  readonly ended: Promise<void>
  readonly #waiting = new Set<() => void>()

  constructor(changes: AsyncIterable<KernelChange>) {
    this.ended = this.#read(changes)
  }

  /** The first change that fits, among those already seen or still to come. Fails after 5 s, telling what came instead. */
  first<T extends KernelChange>(what: string, fits: (change: KernelChange) => change is T): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.seen.find(fits)
        if (found === undefined) return
        settle()
        resolve(found)
      }
      const settle = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
      }
      const timer = setTimeout(() => {
        settle()
        reject(new Error(`no ${what} within ${DEADLINE_MS} ms, only ${this.seen.map(({ kind }) => kind).join(' ')}`))
      }, DEADLINE_MS)
      this.#waiting.add(look)
      look()
    })
  }

  async #read(changes: AsyncIterable<KernelChange>): Promise<void> {
    for await (const change of changes) {
      this.seen.push(change)
      for (const look of this.#waiting) look()
    }
  }
}

type Of<Kind extends KernelChange['kind']> = Extract<KernelChange, { kind: Kind }>

/** A predicate for {@link ChangeRecorder.first}: the kind, and more if wanted. */
export const isChange =
  <Kind extends KernelChange['kind']>(kind: Kind, fits: (change: Of<Kind>) => boolean = () => true) =>
  (change: KernelChange): change is Of<Kind> =>
    isKind(change, kind) && fits(change)

const isKind = <Kind extends KernelChange['kind']>(change: KernelChange, kind: Kind): change is Of<Kind> =>
  change.kind === kind
