import { afterAll, beforeAll, beforeEach } from 'vitest'
import { Lab, waitFor, type LabHost, type LabOptions } from './index.ts'

/** The configuration of the walkthroughs, with the kernel's VXLAN port. */
export const CONFIG = {
  Network: '10.0.0.0/8',
  SubnetLen: 20,
  SubnetMin: '10.10.0.0',
  SubnetMax: '10.99.0.0',
  Backend: { Type: 'vxlan', VNI: 100, Port: 8472 },
} as const

/** The same with both address families. */
export const DUAL = { ...CONFIG, EnableIPv6: true, IPv6Network: 'fd00:10::/48' } as const

export const DEVICE = 'flannel.100'
export const DEVICE6 = 'flannel-v6.100'

/** One laboratory for all tests of a file; the agents' logs are shown when one fails. */
export function useLab(options: LabOptions, prepare: (lab: Lab) => Promise<void> = () => Promise.resolve()): () => Lab {
  let lab: Lab | undefined
  beforeAll(async () => {
    lab = await Lab.create(options)
    try {
      await prepare(lab)
    } catch (error) {
      process.stderr.write(await lab.logs())
      throw error
    }
  })
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => {
      process.stderr.write((await lab?.logs()) ?? '')
    })
  })
  afterAll(() => lab?.close())
  return () => {
    if (!lab) throw new Error('the laboratory is not up yet')
    return lab
  }
}

async function knowsPeers(host: LabHost, count: number): Promise<boolean> {
  const { neighbours, fdb, routes } = await host.peerTables(DEVICE)
  return [neighbours, fdb, routes].every(({ length }) => length === count)
}

/** Agents running on every host, each knowing every other, and one container on each. */
export async function bringUp(lab: Lab): Promise<void> {
  await lab.putConfig(CONFIG)
  await lab.startAgents()
  for (const host of lab.hosts)
    await waitFor(`${host.name} to know every other`, () => knowsPeers(host, lab.hosts.length - 1))
  await Promise.all(lab.hosts.map((host) => host.addContainer()))
}
