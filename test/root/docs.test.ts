import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { followGuides, SCENES } from '../docs/scene.ts'
import { Session } from '../docs/session.ts'
import { useLab } from '../lab/use-lab.ts'
import { outputOf } from '../lab/command.ts'
import { MAKE_BUSYBOX_ROOT } from './busybox-root.ts'
import { CleanMachine } from './clean-machine.ts'
import { Packages } from './packages.ts'

/** Said by the setup of this project, which makes the root file system of clean hosts. */
const hindrance = process.env['FLANNEL_NO_CLEAN_HOSTS']

/** The configuration of 2015, by etcd's API of then. */
const OLD_CONFIG =
  '{"Network":"10.0.0.0/8","SubnetLen":20,"SubnetMin":"10.10.0.0","SubnetMax":"10.99.0.0","Backend":{"Type":"udp","Port":7890}}'

const MAKE_IMAGE = `set -e
root=$(mktemp -d)
${MAKE_BUSYBOX_ROOT}
tar -C "$root" -cf "$1" .
rm -r "$root"`

/** What a reader has copied to a host before a guide goes on, or what the world would give that the laboratory does not. */
class Props {
  readonly #folder: string
  #packages: Packages | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Makes the packages, unless a run before has made the same. */
  async make(): Promise<void> {
    this.#packages = await Packages.build()
  }

  get #made(): Packages {
    if (this.#packages === undefined) throw new Error('the packages are not made yet')
    return this.#packages
  }

  async prepare(machine: CleanMachine, command: string): Promise<void> {
    if (/^tar -xzf flannel-agent/.test(command)) await this.#copy(machine, this.#made.file('.tar.gz'))
    if (/^docker load/.test(command)) await this.#copy(machine, this.#made.file('.oci.tar'))
    if (/^docker load/.test(command)) await machine.install('docker.io')
    if (/^docker run .*busybox/.test(command)) await this.#provideBusybox(machine)
    if (/^apt-get install .* \.\/flannel-agent/.test(command)) await this.#provideDeb(machine)
    if (/^ETCDCTL_API=2/.test(command)) await this.#writeOldConfig(machine)
  }

  async #copy(machine: CleanMachine, path: string): Promise<void> {
    await machine.copyIn(join('/root', path.slice(path.lastIndexOf('/') + 1)), path)
  }

  async #provideBusybox(machine: CleanMachine): Promise<void> {
    const { code } = await machine.place.attempt('docker', ['image', 'inspect', 'busybox'])
    if (code === 0) return
    const tar = join(this.#folder, 'busybox.tar')
    if (!existsSync(tar)) await outputOf(['sh', '-c', MAKE_IMAGE, 'sh', tar])
    await machine.copyIn('/var/tmp/busybox.tar', tar)
    await machine.place.exec('docker', ['import', '/var/tmp/busybox.tar', 'busybox'])
  }

  /** The first one, or, when that was put aside, a later one. */
  async #provideDeb(machine: CleanMachine): Promise<void> {
    const has = (pattern: string) => machine.place.attempt('sh', ['-c', `ls /root/${pattern}`])
    if ((await has('flannel-agent_*.deb')).code === 0) return
    if ((await has('former')).code !== 0) return this.#copy(machine, this.#made.file('.deb'))
    await this.#copy(machine, await this.#made.variant(this.#folder, '99.0.0-1'))
  }

  async #writeOldConfig(machine: CleanMachine): Promise<void> {
    await machine.place.exec('env', ['ETCDCTL_API=2', 'etcdctl', 'set', '/coreos.com/network/config', OLD_CONFIG])
  }
}

/** Guides from a new machine on, on hosts that have never seen us. */
describe.skipIf(hindrance !== undefined).each(['quick-start', 'install'])('the scene %s', (scene) => {
  const names = SCENES[scene] ?? []
  const lab = useLab({ hosts: names.length })
  const stage = new Map<string, { readonly machine: CleanMachine; readonly session: Session }>()
  const folder = mkdtempSync(join(tmpdir(), 'docs-'))
  const props = new Props(folder)

  async function enter(name: string, at: number): Promise<void> {
    const machine = new CleanMachine(lab().host(at), folder)
    await machine.boot()
    // What is recommended takes most of the time, and none of it is ours.
    await machine.configure('apt/apt.conf.d/99no-recommends', 'APT::Install-Recommends "false";\n')
    const session = new Session(machine.place, { DEBIAN_FRONTEND: 'noninteractive' })
    await session.run('cd')
    stage.set(name, { machine, session })
  }

  const actor = (name: string) => {
    const found = stage.get(name)
    if (found === undefined) throw new RangeError(`there is no ${name}`)
    return found
  }

  beforeAll(async () => {
    await props.make()
    await Promise.all(names.map(enter))
  }, 600_000)
  afterAll(async () => {
    for (const { machine, session } of stage.values()) {
      session.close()
      await machine.powerOff()
    }
    rmSync(folder, { recursive: true, force: true })
  })

  followGuides(scene, {
    session: (name) => actor(name).session,
    prepare: (name, command) => props.prepare(actor(name).machine, command),
  })
})
