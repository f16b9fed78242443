import { existsSync, readFileSync } from 'node:fs'

/** Of a process that has ended and nobody has asked how: its rights are still told (proc(5), `State`). */
const HAS_ENDED = /^State:\s*[ZXx]/m

/** Bit of CAP_NET_ADMIN in a set of capabilities (linux/capability.h). */
const CAP_NET_ADMIN = 12n

/**
 * Whether a process may administer a network: its own one, where it lies in another user namespace than ours.
 * @returns `gone` when there is no such process; undefined where /proc does not show it (proc(5), `hidepid`)
 */
export function administersNetwork(pid: number): boolean | 'gone' | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    if (HAS_ENDED.test(status)) return 'gone'
    const [, effective] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? []
    return effective === undefined ? undefined : ((BigInt(`0x${effective}`) >> CAP_NET_ADMIN) & 1n) === 1n
  } catch {
    return existsSync('/proc/1/status') && !existsSync(`/proc/${pid}`) ? 'gone' : undefined
  }
}
