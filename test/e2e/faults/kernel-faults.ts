import { BULK_FAULTS } from './kernel-bulk.ts'
import { DEVICE_FAULTS } from './kernel-device.ts'
import { ENTRY_FAULTS } from './kernel-entries.ts'
import { UNDERLAY_FAULTS } from './kernel-underlay.ts'
import { titlesOf, type Fault } from './table.ts'

/** Faults of the kernel's tables, of the device and of the underlay. */
export const KERNEL_FAULTS: readonly Fault[] = [...ENTRY_FAULTS, ...DEVICE_FAULTS, ...UNDERLAY_FAULTS]

/** Titles of the tests that are generated from the table. */
export const TITLES: readonly string[] = titlesOf([...KERNEL_FAULTS, ...BULK_FAULTS])
