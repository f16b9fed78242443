import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SUBNET_FILE } from '../lab/index.ts'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'
import { Containerd } from './containerd.ts'
import { Packages } from './packages.ts'

/** Said by the setup of this project, which fetches what the image is made of: here there is no network. */
const hindrance = process.env['FLANNEL_NO_IMAGE']
const GUIDE = join(import.meta.dirname, '../../docs/kubernetes.md')

/** The commands of the guide that clean a node whose kubelet is stopped, as they stand there. */
async function commands(): Promise<string> {
  const [, block = ''] =
    /```text\n((?:(?!```)[^])*cleanup \/usr\/bin\/flanneld cleanup\n)/.exec(await readFile(GUIDE, 'utf8')) ?? []
  return block.replaceAll(/^ +/gm, '')
}

describe.skipIf(hindrance !== undefined)('a node that goes for good, with nothing but containerd', () => {
  const lab = useLab({ hosts: 1 }, async (fresh) => {
    await fresh.putConfig(CONFIG)
    await fresh.startAgents()
  })
  let folder = ''
  let machine: Containerd

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'decommission-'))
    const packages = await Packages.build()
    machine = new Containerd(lab().host(0), folder)
    await machine.host.ready()
    await machine.start()
    const imported = await machine.ctr('-n', 'k8s.io', 'images', 'import', packages.file('.oci.tar'))
    expect([imported.code, imported.stderr]).toEqual([0, ''])
  }, 300_000)
  afterAll(async () => {
    await machine.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('is clean after the commands of the guide', async () => {
    const { host } = machine
    await host.agent.stop()
    expect(await host.link(DEVICE)).toBeDefined()
    const ran = await machine.sh(await commands())
    expect([ran.code, ran.stderr]).toEqual([0, ''])
    expect(ran.stdout).toContain(DEVICE)
    expect(await host.link(DEVICE)).toBeUndefined()
    expect((await machine.sh(`ls ${SUBNET_FILE}`)).code).not.toBe(0)
    expect((await host.place.attempt('nft', ['list', 'ruleset'])).stdout).not.toMatch(/flannel/i)
    expect((await machine.ctr('-n', 'k8s.io', 'containers', 'ls', '-q')).stdout).toBe('')
  })
})
