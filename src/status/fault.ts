import type { FaultStatus } from './document.ts'
import { ConfigError, describeValue } from '../config/error.ts'
import { FirewallError } from '../kernel/firewall.ts'
import { KernelError } from '../kernel/kernel.ts'
import { StoreError } from '../lease/store.ts'

const NOTHING = { code: null, root: null, op: null, url: null, target: null, parts: [] } as const

/** An error as data; undefined for one that cannot be told apart. */
export function faultOf(error: Error): FaultStatus | undefined {
  const { name, message } = error
  const common = { ...NOTHING, error: name, says: message }
  if (error instanceof StoreError) {
    const { code, root = null, op, url = null, parts } = error
    return { ...common, code, root, op, url, parts: parts.flatMap((part) => faultOf(part) ?? []) }
  }
  if (error instanceof KernelError) return { ...common, code: error.code, op: error.op, target: error.target }
  if (error instanceof FirewallError) return { ...common, code: error.code, target: error.tool }
  if (error instanceof ConfigError) return { ...common, code: codeOf(error), target: error.path }
  if ('code' in error && typeof error.code === 'string') return { ...common, code: error.code }
  return name === 'Error' ? undefined : common
}

/** Whether a value, or all of the configuration, is missing or wrong. */
const codeOf = ({ got }: ConfigError): string => (got === describeValue(undefined) ? 'MISSING' : 'INVALID')
