import { open, readdir, readlink } from 'node:fs/promises'
import { runTool, type RunTool } from '../../firewall/command.ts'
import { readChecksumErrors } from '../../host/checksum-errors.ts'
import { readNeighbourTables } from '../../host/neighbour-tables.ts'
import { FirewallError } from '../../kernel/firewall.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { NeighbourTable } from '../../kernel/neighbour-table.ts'
import type { HostReads, KernelReads, ProgramHere, ToolOutput } from '../view.ts'
import { readDropCounts } from './drop-counts.ts'
import { once, onceEach } from './once.ts'

/** Of a file, so much is read, in bytes. */
const MOST_BYTES = 1 << 20

/** This host as it is. What is asked for twice is read once. */
export class LinuxHost implements Omit<HostReads, 'verdicts'> {
  readonly kernel: KernelReads
  readonly text = onceEach(readText)
  readonly names = onceEach(readNames)
  readonly #signal: AbortSignal
  readonly #run: RunTool
  readonly #shown: (command: string) => Promise<ToolOutput | undefined>
  readonly #holders = once(readHolders)

  constructor(kernel: KernelReads, signal: AbortSignal, run: RunTool = runTool) {
    this.kernel = kernel
    this.#signal = signal
    this.#run = run
    this.#shown = onceEach((command) => {
      const [program = '', ...args] = JSON.parse(command) as string[]
      return this.showNow(program, ...args)
    })
  }

  show(program: string, ...args: readonly string[]): Promise<ToolOutput | undefined> {
    return this.#shown(JSON.stringify([program, ...args]))
  }

  async showNow(program: string, ...args: readonly string[]): Promise<ToolOutput | undefined> {
    try {
      return { code: 0, stdout: await this.#run(program, args, '', this.#signal, MOST_BYTES), stderr: '' }
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error
      return error.code === 'MISSING' ? undefined : { code: 1, stdout: '', stderr: error.message }
    }
  }

  checksumErrors(): Promise<number | undefined> {
    return readChecksumErrors()
  }

  dropCounts(): Promise<ReadonlyMap<string, number>> {
    return readDropCounts()
  }

  neighbourTables(): Promise<readonly NeighbourTable[]> {
    return readNeighbourTables()
  }

  async holderOf(inode: string): Promise<ProgramHere | undefined> {
    return (await this.#holders()).get(inode)
  }
}

/** Each table is read once for all checks, but for questions about single addresses. */
export function onceReads(kernel: Kernel): KernelReads {
  const links = once(() => kernel.links(new AbortController().signal))
  const addresses = once(() => kernel.addresses(new AbortController().signal))
  return {
    links,
    addresses,
    lookup: (destination, signal) => kernel.lookup(destination, signal),
    answers: (questions, signal) => kernel.answers(questions, signal),
    rules: (family, signal) => kernel.rules(family, signal),
    routes: (family, signal, selection) => kernel.routes(family, signal, selection),
    selectiveRoutes: (family, signal) => kernel.selectiveRoutes(family, signal),
    snapshot: (linkIndex, families, signal) => kernel.snapshot(linkIndex, families, signal),
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path)
    const buffer = Buffer.alloc(MOST_BYTES)
    let length = 0
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, MOST_BYTES - length)
      length += bytesRead
      if (bytesRead === 0 || length === MOST_BYTES) break
    }
    return buffer.toString('utf8', 0, length).replace(/\n$/, '')
  } catch {
    return undefined
  }
}

const readNames = (folder: string): Promise<readonly string[]> => readdir(folder).catch(() => [])

/** Processes by the inodes of the sockets that they have, as far as we may see them. */
async function readHolders(): Promise<ReadonlyMap<string, ProgramHere>> {
  const holders = new Map<string, ProgramHere>()
  for (const pid of (await readNames('/proc')).filter((name) => /^\d+$/.test(name))) {
    const sockets = await socketsOf(pid)
    if (sockets.length === 0) continue
    const name = await programOf(pid)
    for (const inode of sockets) holders.set(inode, { pid: Number(pid), name })
  }
  return holders
}

/** The file it was started as (proc_pid_cmdline(5)): what its first thread is called may be anything, such as Node's `MainThread`. */
async function programOf(pid: string): Promise<string> {
  const [started = ''] = ((await readText(`/proc/${pid}/cmdline`)) ?? '').split(/[\0\s]/)
  const name = started.replace(/.*\//, '')
  return name === '' ? ((await readText(`/proc/${pid}/comm`)) ?? '?') : name
}

async function socketsOf(pid: string): Promise<readonly string[]> {
  const folder = `/proc/${pid}/fd`
  const targets = await Promise.all(
    (await readNames(folder)).map((name) => readlink(`${folder}/${name}`).catch(() => '')),
  )
  return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? [])
}
