import { execFileSync } from 'node:child_process'
import { prefix, type Prefix } from '../../src/net/prefix.ts'
import { RtnetlinkKernel, type RtnetlinkOptions } from '../../src/netlink/rtnetlink-kernel.ts'
import type { KernelOp, OpResult } from '../../src/kernel/kernel.ts'
import type { KernelHarness } from '../contract/kernel-contract.ts'

/** Files run side by side in one network namespace: a worker's process id keeps their devices and routes apart. */
const WORKER = process.pid % 250
let made = 0

export interface RealHarness extends KernelHarness {
  readonly kernel: RtnetlinkKernel
  /** A second, independent user of the kernel. */
  readonly other: RtnetlinkKernel
}

/** The running kernel, in whose network namespace the test is. Removes every device of its own at the end. */
export function realKernel(options: RtnetlinkOptions = {}): RealHarness {
  const run = ++made % 200
  const kernel = new RtnetlinkKernel(options)
  const other = new RtnetlinkKernel()
  const names = new Set<string>()
  return {
    kernel,
    other,
    device: (n) => {
      const name = `k${WORKER}.${run}.${n}`
      names.add(name)
      return { name, vni: (WORKER << 16) | (run << 8) | n, port: 20_000 + WORKER }
    },
    subnet: (n) => workerSubnet(n),
    outside: async (...ops) => {
      check(await other.apply(ops, AbortSignal.timeout(10_000)))
    },
    alter: ({ device, destination: { text, base }, metric, protocol, source, other }, how) => {
      const hop = (gateway: string): string => `via ${gateway} dev ${device} onlink`
      const end = `metric ${metric} proto ${protocol}`
      const words = {
        src: `${hop(base.text)} ${end} src ${source.text}`,
        metrics: `${hop(base.text)} ${end} mtu 1300`,
        nexthop: `${end} nexthop ${hop(base.text)} nexthop ${hop(other.text)}`,
      }
      tool('ip', 'route', 'replace', text, ...words[how].split(' '))
      return Promise.resolve()
    },
    dispose: async () => {
      for (const name of names) await removeLink(other, name)
      kernel.close()
      other.close()
    },
  }
}

/** IPv4 /24 number `n`, this worker's own. */
export const workerSubnet = (n: number): Prefix => prefix(`11.${WORKER}.${n}.0/24`)

/** Throws the first failure. */
export function check(results: readonly OpResult[]): void {
  for (const result of results) if (!result.ok) throw result.error
}

async function removeLink(kernel: RtnetlinkKernel, name: string): Promise<void> {
  const signal = AbortSignal.timeout(10_000)
  const link = await kernel.link(name, signal)
  if (link !== undefined)
    check(await kernel.apply([{ op: 'link.delete', linkIndex: link.index }] satisfies KernelOp[], signal))
}

/** Runs iproute2. @throws with what it said when it fails */
export function tool(command: 'ip' | 'bridge' | 'sysctl', ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 })
}

export type Json = Readonly<Record<string, unknown>>

/** What `ip -j -d …` shows. */
export const ipJson = (...args: readonly string[]): readonly Json[] => readJson(tool('ip', '-j', '-d', ...args))

/** What `bridge -j …` shows. */
export const bridgeJson = (...args: readonly string[]): readonly Json[] => readJson(tool('bridge', '-j', ...args))

function readJson(text: string): readonly Json[] {
  const parsed: unknown = JSON.parse(text === '' ? '[]' : text)
  if (!Array.isArray(parsed)) throw new Error(`not a list: ${text.slice(0, 200)}`)
  return parsed.filter((entry): entry is Json => typeof entry === 'object' && entry !== null)
}
