import { AgentCounts } from '../../../src/counts/agent-counts.ts'
import { Conditions } from '../../../src/agent/runtime/conditions.ts'
import { LossBackoff } from '../../../src/agent/loss-backoff.ts'
import { untilItWorks } from '../../../src/agent/runtime/retry.ts'
import type { AcquiredSubnet, HeldSubnet, PeerListener } from '../../../src/agent/runtime/subnet-manager.ts'
import { isStopped, runTogether } from '../../../src/agent/runtime/task.ts'
import { Watchdog } from '../../../src/agent/runtime/watchdog.ts'
import { parseNetworkConfig, type NetworkConfig } from '../../../src/config/network.ts'
import { EtcdSubnetManager } from '../../../src/etcd/subnets/etcd-subnet-manager.ts'
import type { Challenges } from '../../../src/lease/challenges.ts'
import type { NodeIdentity } from '../../../src/lease/lease.ts'
import type { LeaseStore } from '../../../src/lease/store.ts'
import type { Family, Ip } from '../../../src/net/ip.ts'
import type { Logger } from '../../../src/observe/logger.ts'
import { loopOn, runtime } from '../../fake/runtime.ts'
import { beliefIn, WorldNode, type NodeWorld } from './node.ts'
import type { Machine } from './machine.ts'
import type { Process } from './process.ts'

const ETCD = { endpoints: ['http://192.0.2.1:2379'], prefix: '/coreos.com/network' }

const DEAF: PeerListener = { onList: () => undefined, onChanges: () => undefined }

interface Attained {
  readonly config: NetworkConfig
  /** What it was asked for with. */
  readonly publicIps: ReadonlyMap<Family, Ip>
  readonly acquired: AcquiredSubnet
}

interface Session extends Attained {
  readonly held: HeldSubnet
}

/** A machine of ours: its subnet manager is the real one, and so is whatever it waits for between two leases. */
export class OwnNode extends WorldNode {
  readonly isOurs = true
  /** It has, or had, another address than it began with. */
  wasRenumbered = false
  readonly #machine: Machine
  #session: Session | undefined
  /** Of the process: see `LeaseTerms.instance`. */
  #instance = ''

  constructor(name: string, number: number, world: NodeWorld, machine: Machine) {
    super(name, number, world)
    this.#machine = machine
  }

  get identity(): NodeIdentity {
    return this.#machine.identity
  }

  /** It is switched off: subnet file and device are gone. */
  cutPower(): void {
    this.kill()
    this.#machine.switchOff()
  }

  /** It gets another address of the underlay, and says so if it runs. */
  renumber(number: number): void {
    if (this.isFrozen) return
    this.number = number
    this.wasRenumbered = true
    this.#followAddress()
  }

  override stop(): void {
    super.stop()
    this.#session = undefined
  }

  override kill(): void {
    super.kill()
    this.#session = undefined
  }

  protected async live(process: Process, store: LeaseStore & Challenges): Promise<void> {
    const { random } = this.world
    const { clock, signal } = process
    const log = this.#logger()
    const conditions = new Conditions({ clock, log })
    const ports = {
      ...{ store, clock, random, log, conditions, counts: new AgentCounts() },
      wallMs: () => clock.monotonicMs(),
      resolveHost: () => Promise.resolve([]),
    }
    const manager = new EtcdSubnetManager({ etcd: ETCD, renewMarginMs: 3_600_000 }, ports)
    const lossBackoff = new LossBackoff(ports)
    this.#instance = `${random()} ${this.name}`
    this.#session = undefined
    while (!signal.aborted) {
      const attempt = async (): Promise<Attained> => {
        const config = parseNetworkConfig((await manager.configuration.read(signal)) ?? '')
        const { publicIps } = this
        const terms = await this.#machine.termsToAcquire(config, publicIps, this.#instance, signal)
        return { config, publicIps, acquired: await manager.acquire(terms, signal) }
      }
      const attained = await untilItWorks('lease', attempt, ports, loopOn(clock, signal))
      lossBackoff.held()
      await this.#hold(attained, process)
      await clock.sleep(lossBackoff.lost(), signal)
    }
  }

  /** Until it is lost, or the process is to stop. */
  async #hold({ acquired, config, publicIps }: Attained, { clock, signal }: Process): Promise<void> {
    const { lease, how } = acquired
    if (signal.aborted) return
    this.say(`${how} ${lease.key}`)
    const terms = this.#machine.termsToHold(config, publicIps, this.#instance, acquired)
    const held = acquired.hold({ terms, peers: DEAF, isForwarding: () => false })
    this.#session = { config, publicIps, acquired, held }
    this.believe(beliefIn(lease))
    this.#followAddress() // it may have changed meanwhile
    await runTogether(held.tasks, runtime(clock, signal, new Watchdog(clock)))
    if (isStopped(signal)) return
    if (held.lost === undefined) throw new Error('stopped holding what it had not lost')
    this.#session = undefined
    this.believe(undefined)
  }

  /** As whoever looks after the underlay does. */
  #followAddress(): void {
    if (this.#session === undefined) return
    const { config, acquired, held } = this.#session
    this.#machine.settle(config, this.publicIps, acquired.lease)
    held.publish(this.#machine.termsToHold(config, this.publicIps, this.#instance, acquired))
  }

  #logger(): Logger {
    const say =
      (level: string): Logger['info'] =>
      (message, fields = {}) => {
        this.say(`${level} ${message} ${JSON.stringify(fields)}`)
      }
    return { error: say('error'), warn: say('warn'), info: say('info'), debug: () => undefined }
  }
}
