import type { VxlanPacket } from './capture.ts'
import type { PairResult } from './demo-steps.ts'
import type { Lab } from './lab.ts'
import { AGENT } from './program.ts'

/** Where the demo's words go: standard output for a person, standard error beside a machine-readable result. */
export class Report {
  readonly #stream: NodeJS.WritableStream
  readonly #startedAt = performance.now()
  readonly #bold: (text: string) => string

  constructor(stream: NodeJS.WritableStream & { readonly isTTY?: boolean }) {
    this.#stream = stream
    this.#bold = stream.isTTY === true ? (text) => `\x1b[1m${text}\x1b[0m` : (text) => text
  }

  /** A heading with the time since the start. */
  section(title: string): void {
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1)
    this.#stream.write(`\n${this.#bold(`── ${title}`)}  (${seconds} s)\n`)
  }

  line(text = ''): void {
    this.#stream.write(`${text}\n`)
  }

  /** A command as one would type it, and what it printed. */
  command(prompt: string, output: string): void {
    this.line(this.#bold(prompt))
    for (const line of output.trimEnd().split('\n')) this.line(`  ${line.trimEnd()}`)
  }
}

const CELL = 7

/** Who reached whom: rows ping, columns answer. */
export function pingMatrix(hostCount: number, pairs: readonly PairResult[]): string {
  const names = Array.from({ length: hostCount }, (_, at) => `host${at}`)
  const cell = (from: number, to: number): string => {
    const pair = pairs.find((candidate) => candidate.from === from && candidate.to === to)
    return pair ? `${pair.received}/${pair.sent}` : '·'
  }
  const row = (head: string, cells: readonly string[]): string =>
    [head.padEnd(CELL), ...cells.map((text) => text.padStart(CELL))].join('')
  const rows = names.map((name, from) =>
    row(
      name,
      names.map((_, to) => cell(from, to)),
    ),
  )
  return [row('', names), ...rows].join('\n')
}

const ICMP_NAMES: ReadonlyMap<number | undefined, string> = new Map([
  [8, 'ICMP echo request'],
  [0, 'ICMP echo reply'],
  [128, 'ICMPv6 echo request'],
  [129, 'ICMPv6 echo reply'],
])

/** Underlay first, then what the tunnel carries. */
export function describePacket(packet: VxlanPacket): string {
  const outer = `${packet.outerSource} → ${packet.outerDestination}  UDP ${packet.port}`
  const inner = `${packet.innerSource} → ${packet.innerDestination}`
  const what = ICMP_NAMES.get(packet.icmpType) ?? 'other'
  return `${outer}  VXLAN ${packet.vni}  │  ${inner}  ${what} seq=${packet.sequence ?? '-'}`
}

/** How to get into a demo that was left running, from a shell outside of it. @param kubeconfig of who may do everything, where there is an API server */
export function howToEnter(lab: Lab, kubectlCall?: readonly string[]): string {
  const outer = process.env['FLANNEL_LAB_PID'] ?? '?'
  const user = process.env['FLANNEL_LAB_KIND'] === 'user' ? ' --user --preserve-credentials' : ''
  const enter = `nsenter --target ${outer}${user} --net --mount --pid=/proc/${outer}/ns/pid_for_children`
  const inside = (pid: number | undefined): string => `${enter} nsenter --target ${pid ?? '?'} --net --mount --uts bash`
  const hosts = lab.hosts.flatMap(({ name, place, agent, containers }) => [
    `  ${name}:  ${inside(place.pid)}`,
    `  its agent's log:  ${enter} tail -f ${agent.logPath}`,
    ...containers.map((container) => `  its container ${container.address}:  ${inside(container.place.pid)}`),
  ])
  const etcdctl = `${enter} env ETCDCTL_API=3 etcdctl --endpoints=${lab.etcd.endpoints.join(',')} get --prefix /coreos.com/network`
  const kubectl = kubectlCall === undefined ? [] : [`  the API server:  ${enter} ${kubectlCall.join(' ')} get nodes`]
  const asks = ['status', 'doctor'].map((command) => `  then, on a host:  ${[...AGENT, command].join(' ')}`)
  return [...hosts, ...asks, ...kubectl, `  etcd:  ${etcdctl}`].join('\n')
}
