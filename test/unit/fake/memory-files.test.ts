import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as atomicFile from '../../../src/host/files/atomic-file.ts'
import * as subnetEnv from '../../../src/host/subnet-env.ts'
import { subnetFilesContract } from '../../contract/subnet-files-contract.ts'
import { files, memoryFiles, memoryWrites } from '../../fake/memory-files.ts'

subnetFilesContract('a file system', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'subnet-files-'))
  const close = (): Promise<void> => rm(folder, { recursive: true })
  return { files: { ...subnetEnv, ...atomicFile }, path: join(folder, 'run/flannel/subnet.env'), close }
})

subnetFilesContract('memoryFiles', () => {
  const close = (): Promise<void> => {
    files.clear()
    return Promise.resolve()
  }
  return Promise.resolve({
    files: { ...subnetEnv, ...atomicFile, ...memoryFiles(subnetEnv.parseSubnets), ...memoryWrites() },
    path: '/run/flannel/subnet.env',
    close,
  })
})
