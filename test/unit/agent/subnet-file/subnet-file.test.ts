import { watch } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { SubnetFile } from '../../../../src/agent/subnet-file/subnet-file.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { OVERLAY } from '../../../fake/samples.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

const TEXT = 'FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=10.20.0.1/20\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n'

let directory: string
let path: string
let clock: FakeClock
let log: RecordingLog
let file: SubnetFile

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'subnet-file-'))
  path = join(directory, 'flannel', 'subnet.env')
  clock = new FakeClock()
  log = recordingLog()
  const ports = { clock, log, conditions: new Conditions({ clock, log }) }
  file = new SubnetFile(path, [{ overlay: OVERLAY, subnet: prefix('10.20.0.0/20') }], ports)
})

afterEach(() => rm(directory, { recursive: true }))

const read = (): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined)

function ready(): void {
  file.setMtu(4, 1450)
  file.release([4])
}

/** As long as a busy machine may take; vitest's own limit is a second. */
const EVENTUALLY = { timeout: 60_000, interval: 20 }

/** Makes files in a directory until its watchers have been told of many. */
async function disturb(watched: string): Promise<void> {
  let told = 0
  const watcher = watch(watched, () => told++)
  await vi.waitFor(async () => {
    await writeFile(join(watched, 'beside'), String(told))
    expect(told).toBeGreaterThan(20)
  }, EVENTUALLY)
  watcher.close()
}

describe('the subnet file', () => {
  test('is not written before the overlay forwards, nor before its MTU is known', async () => {
    await file.sync()
    file.setMtu(4, 1450)
    await file.sync()
    expect(await read()).toBeUndefined()
    expect(file.isWritten).toBe(false)
    file.release([4])
    expect(await file.sync()).toBeUndefined()
    expect(await read()).toBe(TEXT)
    expect(file.isWritten).toBe(true)
  })

  test('follows the MTU', async () => {
    ready()
    await file.sync()
    file.setMtu(4, 1400)
    expect(file.isWritten).toBe(false)
    await file.sync()
    expect(await read()).toBe(TEXT.replace('1450', '1400'))
    expect(file.isWritten).toBe(true)
  })

  test.each([
    ['removed', () => rm(path)],
    ['removed with its directory', () => rm(dirname(path), { recursive: true })],
    ['altered', () => writeFile(path, 'FLANNEL_SUBNET=10.99.0.1/20\n')],
  ])('%s by somebody: is written again, saying so', async (_, spoil) => {
    ready()
    await file.sync()
    await spoil()
    await file.sync()
    expect(await read()).toBe(TEXT)
    expect(log.lines.filter((line) => line.startsWith('warn'))).toEqual([
      `warn the subnet file was changed or removed by somebody; writing it again file=${path}`,
    ])
  })

  test('that cannot be written is one line a minute, is tried each second, and does not count as written', async () => {
    await writeFile(join(directory, 'flannel'), 'in the way')
    ready()
    for (let second = 0; second < 59; second++) {
      expect(await file.sync()).toBe(1_000)
      await clock.advance(1_000)
    }
    expect(file.isWritten).toBe(false)
    expect(log.lines).toEqual([
      `error cannot write ${path}: ENOTDIR: not a directory; retrying every second, forwarding goes on`,
    ])
    await rm(join(directory, 'flannel'))
    expect(await file.sync()).toBeUndefined()
    expect(await read()).toBe(TEXT)
    expect(file.isWritten).toBe(true)
  })

  test('a failure in a row of the same kind is one line, though the temporary file is another each time', async () => {
    await mkdir(join(path, 'occupied'), { recursive: true })
    ready()
    for (let attempt = 0; attempt < 5; attempt++) await file.sync()
    expect(log.lines).toEqual([
      `error cannot write ${path}: there is a directory in its place; retrying every second, forwarding goes on`,
    ])
    expect(await readdir(dirname(path))).toEqual(['subnet.env'])
  })

  test('removes what an agent that was killed while writing left beside it, and nothing else', async () => {
    await mkdir(dirname(path))
    const leftover = join(dirname(path), '.subnet.env.0b1d2f3c-0000-4000-8000-000000000000.tmp')
    const foreign = join(dirname(path), '.subnet.env.swp')
    for (const name of [leftover, foreign]) await writeFile(name, 'FLANNEL_')
    ready()
    await file.sync()
    expect((await readdir(dirname(path))).sort()).toEqual(['.subnet.env.swp', 'subnet.env'])
  })

  test('watches over itself: removed, it is back within a second; with nobody to tell, within a minute', async () => {
    ready()
    const stop = new AbortController()
    const running = runTask(file, runtime(clock, stop.signal))
    await vi.waitFor(async () => {
      expect(await read()).toBe(TEXT)
    }, EVENTUALLY)
    for (const spoil of [() => rm(path), () => rm(dirname(path), { recursive: true })]) {
      await spoil()
      await vi.waitFor(async () => {
        await clock.advance(1_000)
        expect(await read()).toBe(TEXT)
      }, EVENTUALLY)
    }
    stop.abort()
    await running
    expect(clock.sleeping).toBe(0)
  })

  test('that cannot be written is tried once a second, whatever happens beside it, and at once for another MTU', async () => {
    ready()
    const sync = vi.spyOn(file, 'sync')
    const attempts = (): number => sync.mock.calls.length
    const stop = new AbortController()
    const running = runTask(file, runtime(clock, stop.signal))
    await vi.waitFor(async () => {
      expect(await read()).toBe(TEXT)
    }, EVENTUALLY)
    await rm(path)
    await mkdir(join(path, 'occupied'), { recursive: true })
    await vi.waitFor(async () => {
      await clock.advance(1_000)
      expect(log.lines.filter((line) => line.startsWith('error'))).toHaveLength(1)
    }, EVENTUALLY)
    const before = attempts()
    await disturb(dirname(path))
    await clock.advance(999)
    expect(attempts()).toBe(before)
    await clock.advance(1)
    expect(attempts()).toBe(before + 1)
    file.setMtu(4, 1400)
    await vi.waitFor(() => {
      expect(attempts()).toBe(before + 2)
    }, EVENTUALLY)
    stop.abort()
    await running
  })

  test('is gone when the subnet is no longer ours, and stays away', async () => {
    ready()
    await file.sync()
    await file.withdraw()
    expect(await read()).toBeUndefined()
    expect(await file.sync()).toBeUndefined()
    expect(await read()).toBeUndefined()
    expect(file.isWritten).toBe(false)
  })
})
