import { createHash, createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Family } from '../net/ip.ts'
import { locallyAdministeredMac, type Mac } from '../net/mac.ts'

/** Where systemd and D-Bus keep the machine id (machine-id(5)). */
const MACHINE_ID_FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id'] as const

/** Our application id, so that the machine id itself never leaves the host (machine-id(5) asks for this). A random constant. */
const APPLICATION_ID = '5b1f9e0c7a4d4c0e9f0d2a6be1c83f57'

const MACHINE_ID = /^[0-9a-f]{32}$/

/** No machine id, and none was given. */
export class NoIdentityError extends Error {
  override readonly name = 'NoIdentityError'
}

/** There is a machine id, and it could not be read; a later start may be able to. */
export class UnreadIdentityError extends Error {
  override readonly name = 'UnreadIdentityError'
}

/** What says that there is no such file (open(2)). Anything else says nothing of what stands in it. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR'])

/** @throws {UnreadIdentityError} when it may be there and cannot be read, as for want of descriptors */
async function machineIdIn(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    if (ABSENT.has(code)) return ''
    throw new UnreadIdentityError(`cannot read the machine id in ${file}: ${code}`, { cause: error })
  }
}

/**
 * Identity of this node: 32 hexadecimal digits derived from the machine id, the same at every start.
 * @throws {NoIdentityError} when no file holds a machine id
 * @throws {UnreadIdentityError} when one cannot be read: with what stands in the next file, this were another node
 */
export async function readNodeId(files: readonly string[] = MACHINE_ID_FILES): Promise<string> {
  for (const file of files) {
    const machineId = await machineIdIn(file)
    if (MACHINE_ID.test(machineId)) return deriveNodeId(machineId)
  }
  throw new NoIdentityError(`no machine id in ${files.join(' or ')}: run systemd-machine-id-setup, or give --node-id`)
}

/** Another one at every boot, and the same in all containers of a host (random(4)). */
const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id'

/** On which boot of this host we run; undefined: the kernel does not say. */
export function readBootId(file = BOOT_ID_FILE): string | undefined {
  try {
    return readFileSync(file, 'latin1').trim() || undefined
  } catch {
    return undefined
  }
}

export const deriveNodeId = (machineId: string): string =>
  createHmac('sha256', machineId).update(APPLICATION_ID).digest('hex').slice(0, 32)

/**
 * Identity of a copy of a machine, beside the one that has its node id: 32 hexadecimal digits, the same at every start. A hypervisor gives
 * each of its machines another hardware address, even where all come from one image.
 */
export const deriveCopyId = (nodeId: string, hardware: Mac): string =>
  createHmac('sha256', nodeId).update(`copy ${hardware}`).digest('hex').slice(0, 32)

/** VTEP MAC of a node that has none yet: the same after every reboot, so that peers need not be told. */
export const deriveVtepMac = (nodeId: string, vni: number, family: Family): Mac =>
  locallyAdministeredMac(createHash('sha256').update(`${nodeId} vxlan ${vni} IPv${family}`).digest())
