import { spawn } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DelegateConfig } from './delegate-config.ts'
import { CNI_CODES, CniError, ioError } from './errors.ts'
import { isObject } from '../config/json.ts'
import type { Environment } from '../config/environment.ts'

/** How a delegate ended that kept to the protocol. */
export type DelegateAnswer =
  | { readonly kind: 'done'; readonly stdout: string }
  /** It said why, as a CNI error. */
  | { readonly kind: 'refused'; readonly stdout: string; readonly exitCode: number }

/** How it is called. */
export interface DelegateCall {
  readonly environment: Environment
  /** Folders to find it in. */
  readonly path: readonly string[]
  /** Ends the delegate as well. */
  readonly stopSignal: AbortSignal
}

const LONGEST_QUOTE = 400

/** @throws {CniError} 5 when no folder of CNI_PATH has it */
export async function findPlugin(type: string, path: readonly string[]): Promise<string> {
  for (const folder of path) {
    const file = join(folder, type)
    const isFile = await stat(file).then(
      (found) => found.isFile(),
      () => false,
    )
    if (isFile) return file
  }
  throw new CniError(CNI_CODES.io, `there is no plugin ${type} on CNI_PATH`, `looked in ${path.join(', ')}`)
}

/**
 * Runs the delegate in our environment, with its configuration on standard input, for as long as it takes: giving up is for the
 * runtime. Its standard error is ours.
 * @throws {CniError} 5 when it cannot be run, 999 when it ends without a word, or with one that is no CNI error
 */
export async function runDelegate(config: DelegateConfig, call: DelegateCall): Promise<DelegateAnswer> {
  const file = await findPlugin(config.type, call.path)
  if (call.stopSignal.aborted) throw new CniError(CNI_CODES.internal, 'stopped before the delegate was called')
  const { stdout, code, signal } = await execute(file, JSON.stringify(config), call)
  if (code === 0) return { kind: 'done', stdout }
  if (signal !== null) throw broken(config.type, `was ended by ${signal}`, stdout)
  if (!isCniError(stdout)) throw broken(config.type, `ended with exit code ${String(code)} and no CNI error`, stdout)
  return { kind: 'refused', stdout, exitCode: code ?? 1 }
}

/** @throws {CniError} 999 when the delegate has printed something else than a JSON object */
export function checkResult({ type }: DelegateConfig, stdout: string): void {
  if (parse(stdout) === undefined) throw broken(type, 'printed no result', stdout)
}

interface DelegateExit {
  readonly stdout: string
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

function execute(file: string, input: string, { environment, stopSignal }: DelegateCall): Promise<DelegateExit> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      child.kill('SIGTERM')
    }
    const fail = (error: unknown): void => {
      stopSignal.removeEventListener('abort', stop)
      reject(ioError(`run ${file}`, error))
    }
    let child: ReturnType<typeof start>
    try {
      child = start(file, environment)
    } catch (error) {
      fail(error)
      return
    }
    const output: Buffer[] = []
    child.once('error', fail)
    if (child.pid === undefined) return // it was not started, and has no streams where descriptors have run out
    stopSignal.addEventListener('abort', stop)
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
    child.stdin.on('error', () => undefined) // it may end without reading
    child.stdin.end(input)
    child.once('close', (code, signal) => {
      stopSignal.removeEventListener('abort', stop)
      resolve({ stdout: Buffer.concat(output).toString(), code, signal })
    })
  })
}

const start = (file: string, environment: Environment) =>
  spawn(file, [], { env: environment, stdio: ['pipe', 'pipe', 'inherit'] })

const parse = (text: string) => {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isCniError(stdout: string): boolean {
  const error = parse(stdout)
  return error !== undefined && Number.isInteger(error['code']) && typeof error['msg'] === 'string'
}

function broken(type: string, what: string, stdout: string): CniError {
  const printed = stdout === '' ? 'nothing' : JSON.stringify(stdout.slice(0, LONGEST_QUOTE))
  return new CniError(CNI_CODES.internal, `the delegate ${type} ${what}`, `it printed ${printed}`)
}
