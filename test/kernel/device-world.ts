import { systemClock } from '../../src/host/system-clock.ts'
import { ChangesTask } from '../../src/agent/datapath/kernel-changes-task.ts'
import { LinkTask } from '../../src/agent/datapath/link-task.ts'
import { Conditions } from '../../src/agent/runtime/conditions.ts'
import type { ConditionName } from '../fake/condition-names.ts'
import { runtime } from '../fake/runtime.ts'
import { runTogether } from '../../src/agent/runtime/task.ts'
import { parseNetworkConfig } from '../../src/config/network.ts'
import { chooseUnderlay } from '../../src/host/underlay/underlay.ts'
import { setSysctl } from '../../src/host/sysctl.ts'
import type { Ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { subnetAt } from '../../src/net/prefix.ts'
import { Wakeup } from '../../src/time/wakeup.ts'
import type { Logger } from '../../src/observe/logger.ts'
import { RtnetlinkKernel } from '../../src/netlink/rtnetlink-kernel.ts'
import type { KernelChange } from '../../src/kernel/kernel.ts'
import { Reconciler } from '../../src/reconcile/reconciler.ts'
import { deviceName } from '../../src/kernel/marks.ts'
import { VxlanDeviceKeeper } from '../../src/backend/vxlan/device-keeper.ts'
import { NO_CHOICE } from '../fake/samples.ts'
import { waitFor } from '../lab/wait-for.ts'
import { ipJson, tool, type Json } from './real-kernel.ts'

/** Files run side by side in one network namespace: a worker's process id keeps their devices apart. */
const WORKER = process.pid % 250
let made = 0

/** Fields of `Backend` in the network configuration that are not to be as usual. */
export interface BackendFields {
  readonly VNI?: number
  readonly Port?: number
  readonly MTU?: number
  readonly GBP?: boolean
  readonly Learning?: boolean
}

/** The agent's device task on the running kernel, with an underlay of its own: one end of a veth pair. */
export class DeviceWorld {
  readonly conditions = new Conditions({ clock: systemClock, log: this.#logger() })
  readonly underlay: string
  /** Where the task believes peers to be. */
  peers: readonly Ip[] = []
  readonly vni: number
  readonly port: number
  readonly address: string
  readonly mac = mac('02:00:00:00:0d:01')
  /** Everything logged: `level message`. */
  readonly log: string[] = []
  readonly #kernel = new RtnetlinkKernel()
  readonly #backend: BackendFields
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  /** What the subnet file would say. */
  mtu: number | undefined

  constructor(backend: BackendFields = {}) {
    const run = ++made
    this.underlay = `u${WORKER}.${run}`
    this.vni = backend.VNI ?? 1_000_000 + WORKER * 1_000 + run
    this.port = backend.Port ?? 30_000 + WORKER * 100 + run
    this.address = `198.${18 + (WORKER % 2)}.${WORKER}.${run}`
    this.#backend = backend
    this.addUnderlay()
  }

  get name(): string {
    return deviceName(4, this.vni)
  }

  addUnderlay(): void {
    tool('ip', 'link', 'add', this.underlay, 'type', 'veth', 'peer', 'name', `p${this.underlay}`)
    tool('ip', 'link', 'set', `p${this.underlay}`, 'up')
    tool('ip', 'link', 'set', this.underlay, 'up')
    tool('ip', 'address', 'add', `${this.address}/32`, 'dev', this.underlay)
  }

  /** Starts the task; does not wait for anything. */
  async start(): Promise<void> {
    const { signal } = this.#stop
    const choice = { ...NO_CHOICE, ifaces: [this.underlay] }
    const underlay = await chooseUnderlay(this.#kernel, choice, { family: 4, leader: 4 }, signal)
    const backend = { Type: 'vxlan', VNI: this.vni, Port: this.port, ...this.#backend }
    const { overlays, backend: vxlan } = parseNetworkConfig(
      JSON.stringify({ Network: '10.0.0.0/8', SubnetLen: 24, Backend: backend }),
    )
    const [overlay] = overlays
    if (overlay === undefined || vxlan.type !== 'vxlan') throw new Error('no overlay of vxlan')
    const subnet = subnetAt(overlay.network, 24, BigInt(WORKER * 200 + made))
    const log = this.#logger()
    const { conditions } = this
    const ports = { kernel: this.#kernel, clock: systemClock, random: Math.random, log, conditions, setSysctl }
    const reconciler = new Reconciler(this.#kernel, [4], systemClock, Math.random)
    const vtep = { family: 4, vni: this.vni, mac: this.mac, subnet, overlay } as const
    const task = new LinkTask({
      options: NO_CHOICE,
      ports,
      family: 4,
      leader: 4,
      overlays,
      peers: () => this.peers,
      underlay,
      device: new VxlanDeviceKeeper({ vtep, config: vxlan, ports }),
      reconciler,
      gate: undefined,
      wantsOtherRoutes: () => false,
      onMtu: (mtu) => (this.mtu = mtu),
      somethingToDo: new Wakeup(),
      onLook: () => undefined,
      onUnderlay: () => undefined,
    })
    const follower = {
      wantsOtherRoutes: false,
      get watchedLinks(): readonly number[] {
        return reconciler.watchedLinks
      },
      observe: (change: KernelChange): void => {
        task.observe(change)
        reconciler.observe(change)
      },
    }
    const changes = new ChangesTask({ ports, followers: [follower] })
    this.#running = runTogether([changes, task], runtime(systemClock, signal))
    this.#running.catch(() => undefined)
  }

  /** Waits until the device is whole: its MAC, up, its one address, and as `more` says. @returns what `ip -j` shows of it */
  async whole(deadlineMs: number, more: (link: Json) => boolean = () => true): Promise<Json> {
    let link: Json | undefined
    const isWhole = (): boolean => {
      link = this.device()
      return link !== undefined && this.#isWhole(link) && more(link)
    }
    await waitFor(`${this.name} to be whole; log:\n${this.log.join('\n')}`, isWhole, {
      deadlineMs,
    })
    return link ?? {}
  }

  #isWhole({ address, flags }: Json): boolean {
    return address === this.mac && Array.isArray(flags) && flags.includes('UP') && this.#addresses().length === 1
  }

  #addresses(): readonly unknown[] {
    const [shown] = ipJson('-4', 'address', 'show', 'dev', this.name)
    return Array.isArray(shown?.['addr_info']) ? shown['addr_info'] : []
  }

  device(): Json | undefined {
    return ipJson('link', 'show').find(({ ifname }) => ifname === this.name)
  }

  /** Waits until our address is gone from the underlay, or is back. */
  async underlayIs(how: 'lost' | 'there', deadlineMs = 5_000): Promise<void> {
    const what: ConditionName = 'IPv4 underlay address'
    const isLost = (): boolean => this.conditions.all().some((one) => one.what === what)
    await waitFor(`the underlay to be ${how}`, () => isLost() === (how === 'lost'), { deadlineMs })
  }

  /** Lines of the log like this, once there is one: for what somebody who reads it sees. */
  async logged(pattern: RegExp, deadlineMs = 5_000): Promise<readonly string[]> {
    const found = (): readonly string[] => this.log.filter((line) => pattern.test(line))
    await waitFor(`${String(pattern)} in ${JSON.stringify(this.log)}`, () => found().length > 0, {
      deadlineMs,
    })
    return found()
  }

  #logger(): Logger {
    const say = (level: string) => (message: string) => void this.log.push(`${level} ${message}`)
    return { error: say('error'), warn: say('warn'), info: say('info'), debug: say('debug') }
  }

  async dispose(): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#kernel.close()
    for (const name of [this.name, this.underlay]) {
      try {
        tool('ip', 'link', 'delete', name)
      } catch {
        // it is gone already
      }
    }
  }
}
