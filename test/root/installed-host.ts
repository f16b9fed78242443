import { CONFIG, DEVICE } from '../lab/use-lab.ts'
import { waitFor, type Lab } from '../lab/index.ts'
import { CleanMachine, ROOTFS } from './clean-machine.ts'

export const UNIT = 'flanneld.service'
const LONG = { timeoutMs: 180_000 }

/** What came of a command, with all that it said. */
export interface Answer {
  readonly code: number | null
  readonly text: string
}

/** A clean host that is to have an installed agent, and beside it one that runs the agent under test as all laboratories do. */
export class InstalledHost {
  readonly lab: Lab
  readonly machine: CleanMachine

  constructor(lab: Lab, folder: string) {
    this.lab = lab
    this.machine = new CleanMachine(lab.host(0), folder)
  }

  /** Boots it, and brings up the other host. */
  async boot(): Promise<void> {
    await this.lab.putConfig(CONFIG)
    this.lab.host(1).agent.start()
    await Promise.all([this.machine.boot(), this.lab.host(1).ready()])
    await this.lab.host(1).addContainer()
  }

  async run(script: string): Promise<Answer> {
    const line = ['-c', `export DEBIAN_FRONTEND=noninteractive\n{ ${script}\n} 2>&1`]
    const { code, stdout } = await this.machine.place.attempt('sh', line, LONG)
    return { code, text: stdout }
  }

  /** @throws with what it said, when it fails */
  async sh(script: string): Promise<string> {
    const { code, text } = await this.run(script)
    if (code !== 0) throw new Error(`${script}: exit code ${code ?? 'none'}: ${text}`)
    return text
  }

  /** As an operator would write them: the lines that matter here. */
  settings(...more: readonly string[]): Promise<string> {
    const lines = [`FLANNELD_ETCD_ENDPOINTS=${this.lab.etcd.endpoints.join(',')}`, 'FLANNELD_IFACE=eth0', ...more]
    return this.machine.place.exec('sh', ['-c', 'cat > /etc/default/flanneld'], { input: `${lines.join('\n')}\n` })
  }

  /** The agent is ready, knows the other host, and has a container. */
  async joined(): Promise<void> {
    await this.isActive()
    await waitFor('the peer', async () => (await this.lab.host(0).peerTables(DEVICE)).routes.length === 1)
    if (this.lab.host(0).containers.length === 0) await this.lab.host(0).addContainer()
  }

  isActive(): Promise<boolean> {
    return waitFor('the unit to be active', async () => (await this.state()) === 'active', { deadlineMs: 30_000 })
  }

  state(): Promise<string> {
    return this.machine.show(UNIT, 'ActiveState')
  }

  async pid(): Promise<number> {
    return Number(await this.machine.show(UNIT, 'MainPID'))
  }

  /** Pings from the other host's container to this one's, both ways through the tunnel. */
  pings() {
    const [from, to] = [this.lab.host(1).containers[0], this.lab.host(0).containers[0]]
    if (from === undefined || to === undefined) throw new Error('there are no containers')
    return from.pingStream(to.address)
  }

  /** Does something while the pings run. @returns which were lost meanwhile, and just before and after */
  async lostDuring(deed: () => Promise<unknown>): Promise<readonly number[]> {
    const pings = this.pings()
    await pings.progress()
    try {
      await deed()
      await pings.progress()
    } catch (error) {
      await pings.stop()
      throw error
    }
    return (await pings.stop()).lost
  }

  /** Leaves only so much room on its disk, in KiB; all there was, when not told. */
  async resizeDisk(freeKib?: number): Promise<void> {
    const script = `disk="$1/disk"
used=$(df -k --output=used "$disk" | tail -n 1)
mount -o "remount,size=$([ -z "$2" ] && echo 50% || echo $((used + $2))k)" "$disk"`
    await this.lab.host(0).place.exec('sh', ['-ec', script, 'sh', ROOTFS, freeKib === undefined ? '' : `${freeKib}`])
  }

  /** Names of all that flannel has on its disk; of journals, logs and what tests have brought nothing is expected. */
  async files(): Promise<readonly string[]> {
    const except = ['/proc', '/sys', '/var/log', '/root', '/usr/share/doc', '/var/lib/docker', '/var/cache']
    const prune = except.map((path) => `-path ${path}`).join(' -o ')
    const text = await this.sh(
      `find / \\( ${prune} \\) -prune -o \\( -iname '*flannel*' -o -name mk-docker-opts.sh \\) -print`,
    )
    const documents = await this.sh("find /usr/share/doc -name '*flannel*'")
    return `${text}${documents}`
      .split('\n')
      .filter((name) => name !== '')
      .sort()
  }

  /** What of flannel is in the kernel: devices, routes, tables and chains, by their names. */
  async inKernel(): Promise<string> {
    return this.sh(`ip -o link | grep -o 'flannel[^:]*' || :
ip route show proto 70; ip route show table all | grep 'dev flannel' || :
nft list tables | grep flannel || :
iptables-save 2>/dev/null | grep FLANNEL || :`)
  }
}
