import { hostname } from 'node:os'
import packageJson from '../package.json' with { type: 'json' }
import { Agent } from './agent/agent.ts'
import { systemClock } from './agent/clock.ts'
import { readCommandLine } from './cli/flanneld.ts'
import { ConfigError } from './config/error.ts'
import type { DaemonOptions } from './config/options.ts'
import { EtcdLeaseStore } from './etcd/etcd-lease-store.ts'
import { deriveVtepMac, NoIdentityError, readNodeId } from './host/identity.ts'
import { RtnetlinkKernel } from './netlink/rtnetlink-kernel.ts'
import { createLogger } from './observe/logger.ts'

/** Asked to stop · a failure that a restart may cure · bad usage or configuration. */
const EXIT = { stopped: 0, failed: 1, usage: 2 } as const

/** Having been told to stop, the process is gone after this long whatever happens, in milliseconds. */
const STOP_WITHIN_MS = 900

async function main(): Promise<number> {
  try {
    const invocation = readCommandLine(process.argv.slice(2), process.env, packageJson.version)
    if (invocation.kind === 'run') return await runAgent(invocation.options)
    process.stdout.write(invocation.text)
    return EXIT.stopped
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof NoIdentityError)) throw error
    process.stderr.write(`flanneld: ${error.message}\n`)
    return EXIT.usage
  }
}

async function runAgent(options: DaemonOptions): Promise<number> {
  const log = createLogger(options.verbosity)
  const node = { id: options.nodeId ?? (await readNodeId()), hostname: hostname() }
  const kernel = new RtnetlinkKernel()
  const store = new EtcdLeaseStore(options.etcd, { clock: systemClock, random: Math.random })
  log.info(`flanneld ${packageJson.version} starts`, { node: node.id, pid: process.pid })
  const ports = {
    kernel,
    kernelWrites: () => kernel.stats().writes,
    store,
    clock: systemClock,
    random: Math.random,
    log,
    node,
    deriveMac: (vni: number, family: 4 | 6) => deriveVtepMac(node.id, vni, family),
  }
  try {
    await new Agent(options, ports).run(stopSignal())
    log.info('stopped; device and entries stay in place, so that forwarding goes on')
    return EXIT.stopped
  } finally {
    kernel.close()
    store.close()
  }
}

/** Aborts on SIGTERM and SIGINT. */
function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.once(name, () => {
      stop.abort()
      setTimeout(() => process.exit(EXIT.stopped), STOP_WITHIN_MS).unref()
    })
  return stop.signal
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    process.stderr.write(`flanneld: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = EXIT.failed
  },
)
