/*
 * plan runs the agent on a host as it is at this moment, with time that passes only when nobody has anything to do, and with ports that
 * read and write nothing: what it would have written is the plan. There is no other idea of what an agent does than the agent itself.
 * `flanneld plan` calls it.
 */
import type { KernelOp } from '../kernel/kernel.ts'

/** One thing that would be written. */
export type PlannedChange =
  /** `link`: name of the link that it is about; `over`: of that which a new device sends by. Undefined: none. */
  | {
      readonly on: 'kernel'
      readonly op: KernelOp
      readonly link: string | undefined
      readonly over: string | undefined
    }
  /** A device whose packets the agent itself carries, for as long as it runs. */
  | { readonly on: 'tun'; readonly link: string }
  /** A setting of the kernel, its name in parts. */
  | { readonly on: 'setting'; readonly name: readonly string[]; readonly value: string }
  /** A program of the firewall that changes something. */
  | { readonly on: 'program'; readonly tool: string; readonly args: readonly string[]; readonly input: string }
  | {
      readonly on: 'store'
      readonly action: 'create' | 'replace' | 'remove'
      readonly key: string
      readonly value: string
    }
  | { readonly on: 'file'; readonly path: string; readonly text: string }

/** What would be written, in its order. */
export class Journal {
  readonly #changes: PlannedChange[] = []
  readonly #once = new Set<string>()
  readonly #nowMs: () => number
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  get changes(): readonly PlannedChange[] {
    return this.#changes
  }

  /** When something was added last. */
  get lastMs(): number {
    return this.#lastMs
  }

  /** What is not known to stand afterwards, and would be written again at each look, counts once. */
  add(change: PlannedChange): void {
    if (change.on === 'program' || change.on === 'setting') {
      const text = JSON.stringify(change)
      if (this.#once.has(text)) return
      this.#once.add(text)
    }
    this.#changes.push(change)
    this.#lastMs = this.#nowMs()
  }
}
