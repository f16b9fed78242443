import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { TcpAddress } from './etcd-proxy.ts'
import { waitFor } from './wait-for.ts'

/** What etcd brings along to stand before its members: one that speaks its language, one that passes bytes on. */
export type FrontKind = 'grpc-proxy' | 'gateway'

export interface FrontOptions {
  /** Members behind it. */
  readonly behind: readonly TcpAddress[]
  /** Command that enters the place where it runs and then execs what follows. */
  readonly spawn?: readonly string[]
  /** Further flags. */
  readonly args?: readonly string[]
}

/** `etcd grpc-proxy` or `etcd gateway`, gone with its files after {@link EtcdFront.close}, or with this process. */
export class EtcdFront {
  readonly kind: FrontKind
  readonly address: TcpAddress
  readonly #directory: string
  readonly #child: ChildProcess

  private constructor(kind: FrontKind, address: TcpAddress, { behind, spawn: enter = [], args = [] }: FrontOptions) {
    this.kind = kind
    this.address = address
    this.#directory = mkdtempSync(join(tmpdir(), 'flannel-front-'))
    const places = [
      ...['--listen-addr', `${address.host}:${address.port}`],
      ...['--endpoints', behind.map(({ host, port }) => `${host}:${port}`).join(',')],
      ...(kind === 'grpc-proxy' ? ['--data-dir', join(this.#directory, 'data')] : []),
    ]
    const line = ['--pdeathsig', 'KILL', '--', ...enter, 'etcd', kind, 'start', ...places, ...args]
    const log = openSync(this.#logFile, 'a')
    this.#child = spawn('setpriv', line, { stdio: ['ignore', log, log] })
    closeSync(log)
  }

  /** Resolves once it takes connections. */
  static async start(kind: FrontKind, address: TcpAddress, options: FrontOptions): Promise<EtcdFront> {
    const front = new EtcdFront(kind, address, options)
    try {
      await waitFor(`etcd ${kind} to listen`, () => front.#listens())
    } catch (error) {
      await front.close()
      throw error
    }
    return front
  }

  get endpoint(): string {
    return `http://${this.address.host}:${this.address.port}`
  }

  /** Stands still with its sockets open. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8')
  }

  async close(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await exited
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }

  get #logFile(): string {
    return join(this.#directory, 'log')
  }

  async #listens(): Promise<boolean> {
    const socket = connect(this.address.port, this.address.host)
    const connected = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ])
    socket.destroy()
    return connected
  }
}
