import type * as AtomicFile from '../../src/host/files/atomic-file.ts'
import type * as SubnetEnvFile from '../../src/host/subnet-env.ts'
import type { Prefix } from '../../src/net/prefix.ts'

/** Files by path: the file system of worlds in memory. */
export const files = new Map<string, string>()

/** Stands for `host/subnet-env.ts`' dealings with the file system, which are slow, and take time behind a clock in memory. */
export const memoryFiles = (parseSubnets: (text: string) => readonly Prefix[]): Partial<typeof SubnetEnvFile> => ({
  readPreviousSubnets: (path: string): Promise<readonly Prefix[]> =>
    Promise.resolve(parseSubnets(files.get(path) ?? '')),
  fileSays: (path: string, text: string): Promise<boolean> => Promise.resolve(files.get(path) === text),
  watchFile: () => (): void => undefined,
})

/** The same for `host/files/atomic-file.ts`. */
export const memoryWrites = (): Partial<typeof AtomicFile> => ({
  writeFileAtomically: (path: string, text: string): Promise<void> => {
    files.set(path, text)
    return Promise.resolve()
  },
  removeTemporaryFiles: (): Promise<void> => Promise.resolve(),
  removeFile: (path: string): Promise<void> => {
    files.delete(path)
    return Promise.resolve()
  },
})
