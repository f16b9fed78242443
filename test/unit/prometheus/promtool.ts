import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { outcomeOf, type Outcome } from '../../lab/command.ts'

export const ROOT = join(import.meta.dirname, '../../..')

/** Said by the setup of the tests, which fetches Prometheus. */
export const hindrance = process.env['FLANNEL_NO_PROMETHEUS']

const UNPACKED = join(ROOT, '.cache/prometheus/usr/bin')

/** A command of Prometheus' package, where the setup has unpacked it, or as the machine has it. */
export const prometheusCommand = (name: 'prometheus' | 'promtool'): string =>
  existsSync(join(UNPACKED, name)) ? join(UNPACKED, name) : name

export const promtool = (args: readonly string[], input?: string): Promise<Outcome> =>
  outcomeOf([prometheusCommand('promtool'), ...args], input === undefined ? {} : { input })
