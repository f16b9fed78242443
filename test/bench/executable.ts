import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createGzip } from 'node:zlib'
import type { CommandLine } from '../lab/command.ts'
import { Lab, waitFor, type LabHost } from '../lab/index.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ROUNDS = 9
const CONFIG = { Network: '10.0.0.0/8', SubnetLen: 20, Backend: { Type: 'vxlan', VNI: 100 } }
const [BUNDLE, EXECUTABLE] = [join(ROOT, 'dist/flanneld.cjs'), join(ROOT, 'dist/flanneld')]
/** How long after it is ready an agent's memory is looked at, in milliseconds. */
const SETTLED_MS = 1_000

/** One start of an agent whose device and lease are there already. Times in milliseconds since it was executed. */
interface Start {
  readonly firstLineMs: number
  readonly subnetFileMs: number
  /** Processor time of all of its threads until then. */
  readonly cpuMs: number
  readonly residentMiB: number
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN

const mebibytes = (bytes: number): number => bytes / 1024 / 1024

async function gzippedBytes(path: string): Promise<number> {
  let bytes = 0
  for await (const chunk of createReadStream(path).pipe(createGzip({ level: 9 }))) bytes += (chunk as Buffer).length
  return bytes
}

/** Time on a processor of all threads of a process, in milliseconds (proc(5), schedstat). */
function cpuMs(pid: number): number {
  const tasks = `/proc/${pid}/task`
  const nanoseconds = readdirSync(tasks).map((task) =>
    Number(readFileSync(join(tasks, task, 'schedstat'), 'utf8').split(' ')[0]),
  )
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6
}

const residentMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? NaN) / 1024

/** How long an executable that does nothing takes to end, started as agents are. */
async function endOf(host: LabHost, path: string): Promise<number> {
  const [command, ...args] = host.place.line(path, [])
  const startedMs = performance.now()
  await once(spawn(command, args, { stdio: 'ignore' }), 'exit')
  return performance.now() - startedMs
}

async function startOf(host: LabHost, program: CommandLine, flags: readonly string[], file: string): Promise<Start> {
  rmSync(file, { force: true })
  const [first, ...rest] = program
  const [command, ...args] = host.place.line(first, [...rest, ...flags, `--subnet-file=${file}`])
  const startedMs = performance.now()
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  try {
    const firstLineMs = once(child.stderr, 'data').then(() => performance.now() - startedMs)
    await waitFor('the subnet file', () => existsSync(file), { everyMs: 1 })
    const pid = child.pid ?? 0
    const start = { subnetFileMs: performance.now() - startedMs, cpuMs: cpuMs(pid), firstLineMs: await firstLineMs }
    child.stderr.resume()
    await delay(SETTLED_MS)
    return { ...start, residentMiB: residentMiB(pid) }
  } finally {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
}

/** Sizes, start and memory of the executable, beside the bundle on the same Node and an executable that does nothing. */
export async function reportExecutable(): Promise<void> {
  // A simulated host does not see what lies below the laboratory's /run.
  const folder = mkdtempSync(join(ROOT, '.cache/bench-'))
  const lab = await Lab.create({ hosts: 1, health: false })
  try {
    const empty = join(folder, 'empty')
    execFileSync(process.execPath, [join(ROOT, 'packaging/build.mjs'), '--empty', empty])
    await lab.putConfig(CONFIG)
    await lab.startAgents()
    const host = lab.host(0)
    await host.agent.stop()
    const flags = [`--etcd-endpoints=${lab.etcd.endpoints.join(',')}`, '--iface=eth0']
    const programs: Readonly<Record<string, CommandLine>> = {
      'dist/flanneld': [EXECUTABLE],
      'dist/flanneld.cjs on its Node': [nodeInside(), BUNDLE],
    }
    const starts = new Map<string, Start[]>(Object.keys(programs).map((name) => [name, []]))
    const ends: number[] = []
    for (let round = 0; round <= ROUNDS; round++) {
      const endMs = await endOf(host, empty)
      if (round > 0) ends.push(endMs) // the first one warms up
      for (const [name, program] of Object.entries(programs)) {
        const start = await startOf(host, program, flags, join(folder, 'subnet.env'))
        if (round > 0) starts.get(name)?.push(start)
      }
    }
    await print(starts, median(ends), empty)
  } finally {
    await lab.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Of the version that is inside the executable. */
function nodeInside(): string {
  const script = `import { nodeBinary } from ${JSON.stringify(join(ROOT, 'packaging/executable/node-binary.mjs'))}; console.log(nodeBinary())`
  const folder = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim()
  return join(folder, 'bin/node')
}

async function print(starts: ReadonlyMap<string, readonly Start[]>, emptyMs: number, empty: string): Promise<void> {
  console.log(
    `Starts where device and lease are there already: medians of ${ROUNDS} rounds. An executable of the same kind that does nothing ends after ${emptyMs.toFixed(0)} ms`,
  )
  console.table(
    Object.fromEntries(
      [...starts].map(([name, all]) => {
        const of = (pick: (start: Start) => number): number => median(all.map(pick))
        const firstLineMs = of((start) => start.firstLineMs)
        return [
          name,
          {
            'first log line, ms': firstLineMs.toFixed(0),
            'ratio to the empty one': (firstLineMs / emptyMs).toFixed(2),
            'subnet file, ms': of((start) => start.subnetFileMs).toFixed(0),
            'processor time, ms': of((start) => start.cpuMs).toFixed(0),
            'resident, MiB': of((start) => start.residentMiB).toFixed(0),
          },
        ]
      }),
    ),
  )
  const files = { 'dist/flanneld': EXECUTABLE, 'the empty one': empty, 'dist/flanneld.cjs': BUNDLE }
  console.log('Sizes')
  for (const [name, path] of Object.entries(files))
    console.log(
      `  ${name.padEnd(18)} ${mebibytes(statSync(path).size).toFixed(1)} MiB, ${mebibytes(await gzippedBytes(path)).toFixed(1)} MiB by gzip -9`,
    )
}
