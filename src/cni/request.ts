import type { Environment } from '../config/environment.ts'
import { CNI_CODES, CniError } from './errors.ts'

/** What the runtime says in the environment (CNI specification, section 2 "Parameters"); checked, empty where it may be absent. */
export interface CniRequest {
  readonly command: Command
  readonly containerId: string
  readonly ifname: string
  /** Folders to find the delegate in, in order; those whose paths begin at the root, lest the one that we are called in counts. */
  readonly path: readonly string[]
}

export type Command = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC' | 'VERSION'

/** The variables each command needs. */
const NEEDED: Readonly<Record<Command, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_PATH'],
  STATUS: ['CNI_PATH'],
  GC: ['CNI_PATH'],
  VERSION: [],
}

const COMMANDS: readonly Command[] = ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION']

/** Letters, digits, `.`, `_` and `-`, the first one alphanumeric: such a name is no path and no hidden file. */
const CONTAINER_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/
/** With what the files of an attachment have in addition, a file name stays below the 255 octets of NAME_MAX. */
const LONGEST_CONTAINER_ID = 190
/** IFNAMSIZ (linux/if.h) without the closing zero. */
const LONGEST_IFNAME = 15

/** @throws {CniError} 4 naming the variable */
export function readRequest(environment: Environment): CniRequest {
  const value = (name: string): string => environment[name] ?? ''
  const named = value('CNI_COMMAND')
  const command = COMMANDS.find((known) => known === named)
  if (command === undefined)
    throw invalid(`unknown CNI_COMMAND ${JSON.stringify(named)}`, `known: ${COMMANDS.join(', ')}`)
  const missing = NEEDED[command].filter((name) => value(name) === '')
  if (missing.length > 0) throw invalid(`missing in the environment: ${missing.join(', ')}`, `${command} needs them`)
  const [containerId, ifname] = [value('CNI_CONTAINERID'), value('CNI_IFNAME')]
  if (NEEDED[command].includes('CNI_CONTAINERID')) checkContainerId(containerId)
  if (NEEDED[command].includes('CNI_IFNAME')) checkIfname(ifname)
  return {
    command,
    containerId,
    ifname,
    path: value('CNI_PATH')
      .split(':')
      .filter((folder) => folder.startsWith('/')),
  }
}

function checkContainerId(id: string): void {
  if (!CONTAINER_ID.test(id) || id.length > LONGEST_CONTAINER_ID)
    throw invalid(
      `invalid CNI_CONTAINERID ${JSON.stringify(id.slice(0, LONGEST_CONTAINER_ID))}`,
      `expected a letter or digit, then letters, digits, ".", "_" and "-", at most ${LONGEST_CONTAINER_ID} in all`,
    )
}

/** As the kernel's dev_valid_name() has it. */
function checkIfname(name: string): void {
  if (Buffer.byteLength(name) > LONGEST_IFNAME || name === '.' || name === '..' || /[/:\s\0]/.test(name))
    throw invalid(
      `invalid CNI_IFNAME ${JSON.stringify(name.slice(0, LONGEST_CONTAINER_ID))}`,
      `expected the name of an interface: at most ${LONGEST_IFNAME} octets without "/", ":" and spaces`,
    )
}

const invalid = (message: string, details: string): CniError =>
  new CniError(CNI_CODES.invalidEnvironment, message, details)
