import { afterAll, beforeAll, beforeEach } from 'vitest'
import { Lab, type LabOptions } from '../lab/index.ts'

/** The configuration of the walkthroughs, with the kernel's VXLAN port. */
export const CONFIG = {
  Network: '10.0.0.0/8',
  SubnetLen: 20,
  SubnetMin: '10.10.0.0',
  SubnetMax: '10.99.0.0',
  Backend: { Type: 'vxlan', VNI: 100, Port: 8472 },
} as const

export const DEVICE = 'flannel.100'

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

/** Agents running on every host, one container on each. */
export async function bringUp(lab: Lab): Promise<void> {
  await lab.putConfig(CONFIG)
  await lab.startAgents()
  await Promise.all(lab.hosts.map((host) => host.addContainer()))
}
