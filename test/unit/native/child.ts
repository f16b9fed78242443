import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The prebuilt or compiled addon, whichever is there, by way of the loader's own search. */
const LOADER = new URL('../../../src/native/load.ts', import.meta.url).href

/** Constants and helpers that every script of these tests starts with. */
const PRELUDE = `
import { findAddon } from ${JSON.stringify(LOADER)}
const { addon, path: addonPath } = findAddon()
const [ROUTE, SOL_SOCKET, SO_RCVBUF, GETLINK, REQUEST_ACK] = [0, 1, 8, 18, 5]
/** So many questions for a link that does not exist: each is refused in a message of its own. */
function refused(count) {
  const bytes = Buffer.alloc(count * 32)
  for (let at = 0; at < bytes.length; at += 32) {
    bytes.writeUInt32LE(32, at)
    bytes.writeUInt16LE(GETLINK, at + 4)
    bytes.writeUInt16LE(REQUEST_ACK, at + 6)
    bytes.writeInt32LE(0x7ffffff0, at + 20)
  }
  return bytes
}
const drain = (socket) => { const into = new Uint8Array(65536); let read = 0; while (addon.receive(socket, into) > 0) read++; return read }
const say = (value) => process.stdout.write(JSON.stringify(value) + '\\n')
`

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  /** Lines of standard output, each read as JSON. */
  readonly said: readonly unknown[]
  readonly stderr: string
}

/** Runs a script in a Node of its own, killed after 20 s, and tells how it ended: a crash must not take the test runner along. */
export function runScript(script: string, nodeFlags: readonly string[] = []): Promise<Ended> {
  const args = [...nodeFlags, '--import', 'tsx', '--input-type=module', '--eval', PRELUDE + script]
  const child = spawn(process.execPath, args, {
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
    killSignal: 'SIGKILL',
  })
  const output: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const said = output.stdout
        .split('\n')
        .filter(Boolean)
        .map((line): unknown => JSON.parse(line))
      resolve({ code, signal, said, stderr: output.stderr })
    })
  })
}
