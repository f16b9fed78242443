import { setFlagsFromString } from 'node:v8'
import { MemoryTask } from '../agent/runtime/memory-task.ts'
import type { AgentStatus } from '../agent/runtime/status.ts'
import type { Task } from '../agent/runtime/task.ts'
import { collectGarbage, releaseMemory } from '../native/memory.ts'

/**
 * So long no machine code is made, in milliseconds: what runs a few times while an agent starts with few peers ends sooner without, and what
 * thousands of peers need is made then.
 */
const INTERPRETED_MS = 100

/**
 * The compilers of V8 that are on by default, and when each is turned on: soon, or when the start is over. Where there is Maglev (since 11.7), what
 * TurboFan makes on threads of its own comes too late for a start, and is a fifth of its processor time with 10 000 peers.
 */
const COMPILERS: { readonly soon: readonly string[]; readonly later: readonly string[] } =
  Number.parseInt(process.versions.v8) >= 12
    ? { soon: ['sparkplug', 'maglev'], later: ['turbofan'] }
    : { soon: ['sparkplug', 'turbofan'], later: [] }

/**
 * How often a function is run before Maglev makes machine code of it: as V8 has it, for a start that computes much, and where little is to be done. What
 * it makes stays for as long as the function does: 5 MB with a thousand peers, who are programmed sooner without.
 */
const RUNS = { much: 400, little: 8_000 } as const
/** Whoever has computed for so long, in milliseconds of processor time, has thousands of peers. */
const MUCH_WORK_MS = 150
/** Between two looks at that, in milliseconds. */
const WORK_LOOK_MS = 20
/** Whether V8 has flags for that (V8 13, Node 24). */
const COUNTS_RUNS = Number.parseInt(process.versions.v8) >= 13

let looks: NodeJS.Timeout | undefined

/**
 * Has V8 take less time and memory for a start, from when the program is loaded. Not sooner: V8 refuses the code caches of whatever is loaded with
 * other flags than they were made with, Node's own modules included.
 *
 * The young generation is kept at its first size. It would grow with the first list of leases and never shrink: 12 MB of resident memory with
 * 10 000 of them, to save scavenges that an idle daemon does not have.
 */
export function frugalStart(): void {
  loadModulesOfNode()
  setFlagsFromString('--semi-space-growth-factor=1')
  // or what Maglev makes while there is no TurboFan would never be handed on to that
  if (COMPILERS.later.length > 0) setFlagsFromString('--force-emit-interrupt-budget-checks')
  for (const compiler of [...COMPILERS.soon, ...COMPILERS.later]) setFlagsFromString(`--no-${compiler}`)
  setTimeout(() => {
    turnOn(COMPILERS.soon)
  }, INTERPRETED_MS).unref()
  if (COUNTS_RUNS) compileByWork()
}

/** Machine code is for those who have much to do. */
function compileByWork(): void {
  setFlagsFromString(`--invocation-count-for-maglev=${RUNS.little}`)
  const begun = process.cpuUsage().user
  looks = setInterval(() => {
    if (process.cpuUsage().user - begun < MUCH_WORK_MS * 1_000) return
    setFlagsFromString(`--invocation-count-for-maglev=${RUNS.much}`)
    clearInterval(looks)
  }, WORK_LOOK_MS).unref()
}

function turnOn(compilers: readonly string[]): void {
  for (const compiler of compilers) setFlagsFromString(`--${compiler}`)
}

/**
 * Has V8 favour memory over time from when a start is over: its heap grows in smaller steps, and the text of a program is compiled again where
 * a function was not run between two collections. Sparkplug's code is let go of like that too; Maglev's, which it made in the start, stays. Machine code
 * is made as V8 has it: it is there for whoever has changes all the time, and those who have none do not get that far.
 */
export function frugalRest(): void {
  turnOn(COMPILERS.later)
  setFlagsFromString('--flush-baseline-code')
  clearInterval(looks)
  if (COUNTS_RUNS) setFlagsFromString(`--invocation-count-for-maglev=${RUNS.much}`)
  if (Number.parseInt(process.versions.v8) >= 13) setFlagsFromString('--memory-saver-mode')
  setFlagsFromString('--bytecode-old-age=1')
}

/** Keeps the memory of this process small once its start is over. */
export const memoryTask = (status: AgentStatus): Task =>
  new MemoryTask(
    { size: () => process.memoryUsage.rss(), collect: collectGarbage, release: releaseMemory },
    status,
    frugalRest,
  )

/** Modules of Node that it loads itself when they are first needed, in every start: for `performance`, and when a socket listens. */
function loadModulesOfNode(): void {
  performance.now()
  process.getBuiltinModule('node:cluster')
}
