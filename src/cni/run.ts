import { add, check, del, gc, status, type CniContext } from './commands.ts'
import type { DelegateAnswer } from './delegate.ts'
import { CNI_CODES, CniError } from './errors.ts'
import { cniVersionOf, decodeNetConf, DEFAULTS, readNetConf, type Defaults } from './netconf.ts'
import type { Environment } from '../config/environment.ts'
import { readRequest, type CniRequest, type Command } from './request.ts'
import { checkVersion, describeVersions, isSupported, LATEST_VERSION } from './versions.ts'

/** One call of the plugin by a runtime. */
export interface CniCall {
  readonly environment: Environment
  readonly stdin: AsyncIterable<Uint8Array | string>
  /** Ends the delegate, and with it the call. */
  readonly stopSignal: AbortSignal
  /** Who we are, for a person who calls us by hand. */
  readonly about: string
  /** For people, on standard error. */
  readonly remark: (text: string) => void
  readonly defaults?: Defaults
}

/** What goes to standard output, and the exit code. */
export interface CniAnswer {
  readonly stdout: string
  readonly exitCode: number
}

const COMMANDS: Readonly<Record<Exclude<Command, 'VERSION'>, (context: CniContext) => Promise<DelegateAnswer>>> = {
  ADD: add,
  DEL: del,
  CHECK: check,
  STATUS: status,
  GC: gc,
}

const FAILED = 1

/** Does what CNI_COMMAND says. Whatever goes wrong comes back as a CNI error: there is nothing else a runtime could read. */
export async function runCni(call: CniCall): Promise<CniAnswer> {
  if ((call.environment['CNI_COMMAND'] ?? '') === '') {
    call.remark(call.about)
    return { stdout: '', exitCode: 0 }
  }
  const spoken = { version: LATEST_VERSION }
  try {
    return await execute(call, spoken)
  } catch (error) {
    return { stdout: `${describeError(error, spoken.version)}\n`, exitCode: FAILED }
  }
}

async function execute(call: CniCall, spoken: { version: string }): Promise<CniAnswer> {
  const request = readRequest(call.environment)
  const text = await Promise.race([readAll(call.stdin), stopped(call.stopSignal)])
  if (request.command === 'VERSION') return { stdout: `${describeVersions(versionIn(text))}\n`, exitCode: 0 }
  const fields = decodeNetConf(text)
  const version = cniVersionOf(fields)
  if (isSupported(version)) spoken.version = version
  checkVersion(version, request.command)
  return answerWith(
    await COMMANDS[request.command](contextOf(call, request, readNetConf(fields, call.defaults ?? DEFAULTS))),
  )
}

const contextOf = (call: CniCall, request: CniRequest, netConf: CniContext['netConf']): CniContext => ({
  request,
  netConf,
  call: { environment: call.environment, path: request.path, stopSignal: call.stopSignal },
  remark: call.remark,
})

const answerWith = (answer: DelegateAnswer): CniAnswer => ({
  stdout: answer.stdout,
  exitCode: answer.kind === 'refused' ? answer.exitCode : 0,
})

async function readAll(stdin: CniCall['stdin']): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

/** @throws {CniError} when the process is asked to stop */
function stopped(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => {
      reject(new CniError(CNI_CODES.internal, 'stopped before standard input was read'))
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}

/** The version a runtime asks with; it need not. */
function versionIn(text: string): string {
  try {
    return cniVersionOf(decodeNetConf(text))
  } catch {
    return ''
  }
}

function describeError(error: unknown, cniVersion: string): string {
  const { code, message, details } = error instanceof CniError ? error : unexpected(error)
  return JSON.stringify({ cniVersion, code, msg: `flannel: ${message}`, ...(details === '' ? {} : { details }) })
}

const unexpected = (error: unknown): CniError =>
  new CniError(CNI_CODES.internal, 'unexpected failure', error instanceof Error ? error.message : String(error))
