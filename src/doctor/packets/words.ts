import type { Finding } from '../finding.ts'
import type { OverlayHere } from '../view.ts'

/** A command, or an advice, for another host. */
export const onHost = (name: string, command: string): string => `on ${name}: ${command}`

/** Conditions that say of peers that they do not answer: whatever keeps packets from them explains those. */
export const SILENCE = ['answers of peers*', 'losses to peers*'] as const

/** What holds for every peer: packets of the overlay do not come through, whoever is asked. */
export const FOR_ALL = { severity: 'broken', covers: 'all peers' } as const satisfies Partial<Finding>

/** One finding for each family in which something is so; none twice. */
export const inEachFamily = (
  overlay: readonly OverlayHere[],
  find: (here: OverlayHere) => readonly Finding[],
): readonly Finding[] => overlay.flatMap(find)

/**
 * Where VirtualBox and QEMU put a machine that they hide behind NAT: each machine has the same address, and none reaches another by it
 * (VirtualBox manual 6.3, QEMU user networking). Vagrant's first interface is of that kind.
 */
export const HIDDEN = '10.0.2.15'
