import type { OverlayNetwork } from '../config/network.ts'
import { renderSubnetEnv, writeFileAtomically } from '../host/subnet-env.ts'
import type { Prefix } from '../net/prefix.ts'
import type { AgentPorts } from './ports.ts'

const RETRY_MS = 1_000

/** Keeps the subnet file true: nothing before the overlay forwards, then whatever the MTU is, rewritten only when it changes. */
export class SubnetFile {
  readonly #path: string
  readonly #subnet: { readonly overlay: OverlayNetwork; readonly subnet: Prefix }
  readonly #ports: AgentPorts
  #released = false
  #mtu: number | undefined
  #written = ''
  #complaint = ''

  constructor(
    path: string,
    subnet: { readonly overlay: OverlayNetwork; readonly subnet: Prefix },
    ports: Pick<AgentPorts, 'clock' | 'log' | 'random' | 'kernel' | 'kernelWrites' | 'store' | 'node' | 'deriveMac'>,
  ) {
    this.#path = path
    this.#subnet = subnet
    this.#ports = ports
  }

  /** Whether the file says what is true now. */
  get isWritten(): boolean {
    return this.#written !== '' && this.#written === this.#text()
  }

  /** MTU of the overlay device, in octets. */
  setMtu(mtu: number): void {
    this.#mtu = mtu
  }

  /** The overlay forwards: readers may be let in. */
  release(): void {
    this.#released = true
  }

  #text(): string {
    return this.#mtu === undefined || !this.#released
      ? ''
      : renderSubnetEnv({ subnets: [this.#subnet], mtu: this.#mtu, ipMasq: false })
  }

  /** Writes the file if there is anything new to say. @returns when to try again, in milliseconds, if it could not be written */
  async sync(): Promise<number | undefined> {
    const text = this.#text()
    if (text === this.#written || text === '') return undefined
    const { log } = this.#ports
    try {
      await writeFileAtomically(this.#path, text)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (reason !== this.#complaint)
        log.error(`cannot write ${this.#path}: ${reason}; retrying every second, forwarding goes on`)
      this.#complaint = reason
      return RETRY_MS
    }
    this.#written = text
    this.#complaint = ''
    log.info('subnet file written', { file: this.#path, mtu: this.#mtu })
    return undefined
  }
}
