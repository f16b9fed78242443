import { ConfigError, describeValue } from '../../config/error.ts'
import { FirewallError } from '../../kernel/firewall.ts'
import { KernelError } from '../../kernel/kernel.ts'
import { StoreError } from '../../lease/store.ts'

/** An error that a condition fails with, as data: whoever asks branches on it, and never on its words. What it does not say is null. */
export interface Fault {
  /** Its class: `StoreError`, `KernelError`, `OutOfSubnetsError`. */
  readonly error: string
  /** In the words of that class: gRPC's name of a status, the name of an errno, that of a failure of the firewall, {@link codeOf}. */
  readonly code: string | null
  /** Of a store: what it comes from, as {@link StoreError.root}. */
  readonly root: string | null
  /** What was asked. */
  readonly op: string | null
  /** Of a store: which endpoint. */
  readonly url: string | null
  /** What it is about: an object of the kernel, a field or flag of the configuration, a program. */
  readonly target: string | null
  readonly says: string
  /** Of a store whose endpoints fail for different reasons: that of each. */
  readonly parts: readonly Fault[]
}

const NOTHING = { code: null, root: null, op: null, url: null, target: null, parts: [] } as const

/** Undefined for one that cannot be told apart. */
export function faultOf(error: Error): Fault | undefined {
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
