import { stopSignal } from './agent/stop-signal.ts' // first: see there
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import packageJson from '../package.json' with { type: 'json' }
import { Agent } from './agent/agent.ts'
import { systemClock } from './agent/clock.ts'
import type { AgentPorts } from './agent/ports.ts'
import { findCommand, type Command } from './cli/commands.ts'
import { dockerOptsCommand } from './cli/docker-opts.ts'
import { readCommandLine } from './cli/flanneld.ts'
import { ConfigError } from './config/error.ts'
import type { DaemonOptions } from './config/options.ts'
import { EtcdLeaseStore } from './etcd/etcd-lease-store.ts'
import { deriveVtepMac, NoIdentityError, readNodeId } from './host/identity.ts'
import { resolveHost } from './host/resolve.ts'
import { writeFileAtomically } from './host/subnet-env.ts'
import { setSysctl } from './host/sysctl.ts'
import { exitAtOnce } from './netlink/exit.ts'
import { RtnetlinkKernel } from './netlink/rtnetlink-kernel.ts'
import { createLogger } from './observe/logger.ts'

/** What is deprecated in a library is for us to read, in tests, and not for the daemon's log. */
process.noDeprecation = true

/** Asked to stop · a failure that a restart may cure · bad usage or configuration. */
const EXIT = { stopped: 0, failed: 1, usage: 2 } as const

/**
 * Asked to stop, the process is gone after this long whatever happens, in milliseconds. The orderly way takes some ten; a supervisor
 * gives a second at least.
 */
const STOP_WITHIN_MS = 700

/** What the program does besides being the daemon. */
const COMMANDS: readonly Command[] = [
  dockerOptsCommand(process.env, { read: (path) => readFile(path, 'utf8'), write: writeFileAtomically }),
]

async function main(): Promise<number> {
  const [, program = '', ...args] = process.argv
  const call = findCommand(COMMANDS, program, args)
  if (call === undefined) return runDaemon(args)
  const { code, stdout, stderr } = await call.command.run(call.args)
  process.stdout.write(stdout)
  process.stderr.write(stderr)
  return code
}

async function runDaemon(args: readonly string[]): Promise<number> {
  try {
    const invocation = readCommandLine(args, process.env, packageJson.version)
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
  const ports: AgentPorts = {
    kernel,
    kernelWrites: () => kernel.stats().writes,
    store,
    clock: systemClock,
    random: Math.random,
    log,
    node,
    instance: randomUUID(),
    resolveHost,
    setSysctl,
    deriveMac: (vni, family) => deriveVtepMac(node.id, vni, family),
  }
  try {
    await new Agent(options, ports).run(stopSignal)
    log.info('stopped; device and entries stay in place, so that forwarding goes on')
    return EXIT.stopped
  } finally {
    kernel.close()
    store.close()
  }
}

function fail(error: unknown): never {
  process.stderr.write(`flanneld: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  process.exit(EXIT.failed)
}

// Whoever read our output may go away; that is no reason to stop.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)
stopSignal.addEventListener('abort', () => {
  setTimeout(() => exitAtOnce(EXIT.stopped), STOP_WITHIN_MS).unref()
})
main().then((code) => (stopSignal.aborted ? exitAtOnce(code) : process.exit(code)), fail)
