import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { waitFor, type Container, type LabHost } from '../../lab/index.ts'
import { parseObject, type JsonObject } from '../../lab/json.ts'
import { Namespace } from '../../lab/namespace.ts'
import { agentCall } from '../../lab/program.ts'
import { UNDERLAY, type Underlay } from '../../lab/underlay.ts'

export const DEVICE = 'flannel0'
export const PORT = 8285
/** None of these waits says how fast something is. */
export const PATIENTLY = { deadlineMs: 60_000 }

export const program = (name: string): string => join(import.meta.dirname, `${name}.mjs`)

export function containerOf({ name, containers: [container] }: LabHost): Container {
  if (container === undefined) throw new Error(`${name} has no container`)
  return container
}

/** Waits until a ping from one host's container to the other's is answered. */
export const reaches = (from: LabHost, to: LabHost | string): Promise<unknown> => {
  const address = typeof to === 'string' ? to : containerOf(to).address
  return waitFor(
    `${from.name} to reach ${address}`,
    async () => (await containerOf(from).ping(address, { count: 1 })).received > 0,
    PATIENTLY,
  )
}

/** What a command of the agent prints as JSON. */
export const told = async ({ place }: LabHost, ...args: readonly string[]): Promise<JsonObject> =>
  parseObject((await place.attempt(...agentCall(...args, '--json'))).stdout)

/** Copies so many octets to a container from another. @returns what each end says: how many, and their hash */
export const copy = (from: Container, to: Container, octets: number): Promise<readonly string[]> => {
  const options = { timeoutMs: 120_000 }
  return Promise.all([
    from.place.exec(process.execPath, [program('copy'), 'serve', `${octets}`], options),
    to.place.exec(process.execPath, [program('copy'), 'fetch', from.address], options),
  ])
}

/** A node of another making on the underlay, which has a lease as upstream's nodes have. */
export class OtherNode {
  readonly address: string
  readonly #place: Namespace
  readonly #log: string

  private constructor(address: string, place: Namespace, log: string) {
    this.address = address
    this.#place = place
    this.#log = log
  }

  /** @param octet the last of its address. @param more what {@link program} `node` is told beside its address and port */
  static async create(underlay: Underlay, octet: number, more: readonly string[] = []): Promise<OtherNode> {
    const address = UNDERLAY.address(octet)
    const place = await Namespace.create('ip link set lo up')
    await underlay.connect(`node${octet}`, place.pid)
    await place.ipBatch([`address add ${address}/${UNDERLAY.prefixLength} dev eth0`, 'link set eth0 up'])
    const log = join(await mkdtemp(join(tmpdir(), 'node-')), 'log')
    place.start(log, process.execPath, [program('node'), address, `${PORT}`, ...more])
    await waitFor('the other node to listen', async () => (await readFile(log, 'utf8')).includes('ready'), PATIENTLY)
    return new OtherNode(address, place, log)
  }

  /** A line for each datagram that it has received. */
  async heard(): Promise<string> {
    return readFile(this.#log, 'utf8')
  }

  async close(): Promise<void> {
    await this.#place.close()
    await rm(dirname(this.#log), { recursive: true })
  }
}
