import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type * as AtomicFile from '../../src/host/files/atomic-file.ts'
import type * as SubnetEnvFile from '../../src/host/subnet-env.ts'

/** What the agent does with its subnet file. */
export type SubnetFiles = Pick<typeof SubnetEnvFile, 'readPreviousSubnets' | 'fileSays' | 'watchFile'> &
  Pick<typeof AtomicFile, 'writeFileAtomically' | 'removeTemporaryFiles' | 'removeFile'>

export interface SubnetFilesHarness {
  readonly files: SubnetFiles
  /** Of no file, in a folder that need not be there. */
  readonly path: string
  close(): Promise<void>
}

const ENV = 'FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=10.15.64.1/20\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n'
const DUAL = `${ENV}FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00:0:0:1::1/64\n`

/** What the task of the subnet file may count on. */
export function subnetFilesContract(name: string, open: () => Promise<SubnetFilesHarness>): void {
  describe(`subnet files contract: ${name}`, () => {
    let harness: SubnetFilesHarness
    let files: SubnetFiles
    let path: string

    beforeEach(async () => {
      harness = await open()
      ;({ files, path } = harness)
    })
    afterEach(() => harness.close())

    const subnets = async (at = path): Promise<readonly string[]> =>
      (await files.readPreviousSubnets(at)).map(({ text }) => text)

    test('where there is no file it says nothing, not even nothing, and can be removed', async () => {
      expect(await subnets()).toEqual([])
      expect(await files.fileSays(path, '')).toBe(false)
      await files.removeFile(path)
      await files.removeTemporaryFiles(path)
    })

    test('what is written stands there to the letter, and its subnets are read', async () => {
      await files.writeFileAtomically(path, DUAL)
      expect(await files.fileSays(path, DUAL)).toBe(true)
      for (const other of [ENV, `${DUAL}\n`, '', DUAL.toLowerCase()])
        expect(await files.fileSays(path, other)).toBe(false)
      expect(await subnets()).toEqual(['10.15.64.0/20', 'fd00:0:0:1::/64'])
    })

    test('a shorter text leaves nothing of a longer one', async () => {
      await files.writeFileAtomically(path, DUAL)
      await files.writeFileAtomically(path, ENV)
      expect(await files.fileSays(path, ENV)).toBe(true)
      expect(await subnets()).toEqual(['10.15.64.0/20'])
    })

    test('an empty file is one, and names no subnet', async () => {
      await files.writeFileAtomically(path, '')
      expect(await files.fileSays(path, '')).toBe(true)
      expect(await subnets()).toEqual([])
    })

    test('files do not know each other, and one that is removed is gone', async () => {
      const other = `${path}.other`
      await files.writeFileAtomically(path, ENV)
      await files.writeFileAtomically(other, DUAL)
      await files.removeTemporaryFiles(path)
      await files.removeFile(path)
      expect([await files.fileSays(path, ENV), await files.fileSays(other, DUAL)]).toEqual([false, true])
      expect([await subnets(), (await subnets(other)).length]).toEqual([[], 2])
    })

    test('who watches what is not there, or no more, is not harmed', async () => {
      files.watchFile(path, () => undefined)()
      await files.writeFileAtomically(path, ENV)
      const unwatch = files.watchFile(path, () => undefined)
      await files.removeFile(path)
      unwatch()
      unwatch()
    })
  })
}
