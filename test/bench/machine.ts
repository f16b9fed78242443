import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'

/** What the figures depend on. */
export interface Machine {
  readonly processors: number
  readonly processor: string
  readonly memoryGB: number
  readonly kernel: string
  readonly node: string
  readonly etcd: string
  readonly iproute2: string
}

const firstLine = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8' }).split('\n')[0]?.trim() ?? ''

export const machine = (): Machine => ({
  processors: cpus().length,
  processor: cpus()[0]?.model.trim() ?? '',
  memoryGB: Math.round(totalmem() / 1e9),
  kernel: release(),
  node: process.version,
  etcd: firstLine('etcd', '--version').replace('etcd Version: ', ''),
  iproute2: firstLine('ip', '-V').replace('ip utility, ', ''),
})
