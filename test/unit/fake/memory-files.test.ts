import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as subnetEnv from '../../../src/host/subnet-env.ts'
import { subnetFilesContract } from '../../contract/subnet-files-contract.ts'
import { files, memoryFiles } from '../../fake/memory-files.ts'

subnetFilesContract('a file system', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'subnet-files-'))
  const close = (): Promise<void> => rm(folder, { recursive: true })
  return { files: subnetEnv, path: join(folder, 'run/flannel/subnet.env'), close }
})

subnetFilesContract('memoryFiles', () => {
  const close = (): Promise<void> => {
    files.clear()
    return Promise.resolve()
  }
  return Promise.resolve({
    files: { ...subnetEnv, ...memoryFiles(subnetEnv.parseSubnets) },
    path: '/run/flannel/subnet.env',
    close,
  })
})
