import type { ConfigurationSource } from '../../agent/runtime/subnet-manager.ts'
import { ConfigError } from '../../config/error.ts'
import type { NetworkConfig } from '../../config/network.ts'
import { readRegularFile } from '../../host/files/regular-file.ts'
import { watchFile } from '../../host/subnet-env.ts'
import type { Clock } from '../../time/clock.ts'
import { Wakeup } from '../../time/wakeup.ts'

/** The kernel says when something happens in the folder; what it does not say, as of a folder that was exchanged, is found so late, in ms. */
const LOOK_EVERY_MS = 60_000
/** The kubelet exchanges a ConfigMap in several steps, and an editor writes in several: what stands there is read after, in ms. */
const SETTLES_MS = 100
const FLAG = '--net-config-path'

/** The network configuration in a file, as a ConfigMap of Kubernetes is mounted. */
export class NetConfigFile implements ConfigurationSource {
  /** Its path. */
  readonly name: string
  readonly #clock: Clock

  constructor(path: string, clock: Clock) {
    this.name = path
    this.#clock = clock
  }

  /** @throws {ConfigError} for what is there and cannot be read */
  async read(): Promise<string | undefined> {
    try {
      return await readRegularFile(this.name)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw new ConfigError(
        FLAG,
        `a file to read (${error instanceof Error ? error.message : String(error)})`,
        this.name,
      )
    }
  }

  async *watch(signal: AbortSignal): AsyncGenerator<string | undefined, void, undefined> {
    let said: { readonly text: string | undefined } | undefined
    while (!signal.aborted) {
      const bell = new Wakeup()
      const stop = watchFile(this.name, () => {
        bell.ring()
      })
      try {
        // read after the watch stands: what comes in between rings
        const found = await this.read().then(
          (text) => ({ text }),
          () => said, // it cannot be read: what was read last stays
        )
        if (found !== undefined && (said === undefined || found.text !== said.text)) {
          said = found
          yield found.text
        }
        await bell.wait(this.#clock, LOOK_EVERY_MS, signal)
        await this.#clock.sleep(SETTLES_MS, signal)
      } finally {
        stop()
      }
    }
  }

  missing(): ConfigError {
    return new ConfigError(
      FLAG,
      `a file with the network configuration, as JSON, such as net-conf.json of a ConfigMap that is mounted there`,
      this.name,
    )
  }

  check({ overlays }: NetworkConfig): void {
    if (!overlays.some(({ family }) => family === 4))
      throw new ConfigError('EnableIPv4', 'true: a network of IPv6 alone is not carried', false)
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
