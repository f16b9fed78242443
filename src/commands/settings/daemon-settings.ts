import { readFileSync } from 'node:fs'
import type { FlagReader } from '../../cli/flag.ts'
import { readOptions } from '../../cli/flanneld.ts'
import { variableReader } from '../../cli/kube-access.ts'
import type { Layer } from '../../cli/layers.ts'
import {
  namesEtcd,
  namesKubernetes,
  processLayer,
  settingsReader,
  UNIT_FILES,
  unitLayer,
} from '../../cli/settings/daemon-layers.ts'
import type { DaemonOptions } from '../../config/options.ts'
import { agentOnThisHost } from '../this-host.ts'

/** What the daemon of this host is told, or would be. */
export interface DaemonSettings {
  readonly options: DaemonOptions
  /** The same, flag by flag. */
  readonly value: FlagReader
  /** Variables: those of the daemon, under those of the command. */
  readonly environment: Layer['environment']
  /** Who has said where the store is, in words: `the flanneld that runs here (pid 812)`. */
  readonly from: string
  /** Nobody has: the endpoint is the default. */
  readonly isDefaultEtcd: boolean
  /** The daemon that runs here, as far as it can be told; 0 where its process is not seen. */
  readonly pid: number | undefined
}

/**
 * The settings of the daemon of this host, so that nobody has to repeat them for a command: what the command itself was told, else what
 * the daemon that runs here was started with, else what flanneld.service would start it with, else the defaults.
 * @param own what the command was told
 * @throws {ConfigError}
 */
export function daemonSettings(own: Layer): DaemonSettings {
  const found = findBase()
  const value = settingsReader(own, found.layer)
  const options = readOptions(value, variableReader([own.environment, found.layer?.environment ?? {}]))
  const by = (options.kube === undefined ? namesEtcd : namesKubernetes)(own, found.layer)
  return {
    options,
    value,
    environment: { ...found.layer?.environment, ...own.environment },
    from: originOf(by, found.from),
    isDefaultEtcd: options.kube === undefined && by === undefined,
    pid: found.pid,
  }
}

/** Without an agent or its unit nobody has said which store it is, either. */
function originOf(by: ReturnType<typeof namesEtcd>, daemon: string | undefined): string {
  if (by === 'command') return 'the flags and variables of this command'
  if (by === 'daemon' && daemon !== undefined) return daemon
  return `the default, since ${daemon === undefined ? 'no agent runs here, no file of its unit is there,' : `${daemon} names none`} and no --etcd-endpoints is given${daemon === undefined ? ' (with Kubernetes, name --kube-subnet-mgr)' : ''}`
}

/** All that is known of what a daemon of this host was, or would be, told: by its process, by its unit. It may hold secrets. */
export function daemonLayers(): readonly Layer[] {
  const pid = agentOnThisHost()?.pid
  const running = pid === undefined || pid === 0 ? undefined : layerOfProcess(pid)
  const unit = unitLayer(UNIT_FILES.flatMap((path) => textOf(path) ?? []))
  return running === undefined ? [unit] : [running, unit]
}

/** Of which neither /proc nor a unit says what it was told. */
const UNSEEN = 'a flanneld that runs here, whose process is not seen,'

interface Base {
  readonly layer: Layer | undefined
  /** In words; undefined: there is none. */
  readonly from: string | undefined
  readonly pid: number | undefined
}

function findBase(): Base {
  const pid = agentOnThisHost()?.pid
  const running = pid === undefined || pid === 0 ? undefined : layerOfProcess(pid)
  if (running !== undefined) return { layer: running, from: `the flanneld that runs here (pid ${pid})`, pid }
  const files = UNIT_FILES.flatMap((path) => {
    const text = textOf(path)
    return text === undefined ? [] : [{ path, text }]
  })
  if (files.length === 0) return { layer: undefined, from: pid === undefined ? undefined : UNSEEN, pid }
  const from = files.map(({ path }) => path).join(', ')
  return { layer: unitLayer(files.map(({ text }) => text)), from, pid }
}

/** Undefined where /proc does not show it to us. */
function layerOfProcess(pid: number): Layer | undefined {
  const commandLine = textOf(`/proc/${pid}/cmdline`)
  const environment = textOf(`/proc/${pid}/environ`)
  if (commandLine === undefined || environment === undefined) return undefined
  const variables = environment.split('\0').map((variable) => {
    const at = variable.indexOf('=')
    return [variable.slice(0, at), variable.slice(at + 1)] as const
  })
  return processLayer(commandLine.replace(/\0$/, '').split('\0'), Object.fromEntries(variables))
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // it is not there, or not for us
  }
}
