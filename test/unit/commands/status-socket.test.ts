import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runTask } from '../../../src/agent/runtime/task.ts'
import { StatusSocket } from '../../../src/commands/serve/status-socket.ts'
import { listenerOf } from '../../../src/native/unix-listener.ts'
import { AgentWorld } from '../../fake/agent-world.ts'
import { runtime } from '../../fake/runtime.ts'

let world: AgentWorld
let folder: string

beforeEach(async () => {
  world = await AgentWorld.create()
  folder = await mkdtemp(join(tmpdir(), 'status-socket-'))
  await world.start()
})

afterEach(async () => {
  await world.close()
  await rm(folder, { recursive: true })
})

function start(path: string) {
  const stop = new AbortController()
  const { conditions } = world
  const socket = new StatusSocket({ path, live: world.live(), conditions, listenerOf })
  return { stop, running: runTask(socket, runtime(world.clock, stop.signal, world.status.watchdog)) }
}

const isAnswered = (socketPath: string): Promise<boolean> =>
  new Promise((resolve) => {
    request({ socketPath, path: '/v1/status' }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
      .on('error', () => {
        resolve(false)
      })
      .end()
  })

/** Sockets are made behind the back of the agent's clock: when it begins to wait is not known. */
async function afterwards(ms: number, path: string): Promise<boolean> {
  await world.advance(ms)
  return isAnswered(path)
}

test('the agent goes on without its status socket, names why in a condition, and has it as soon as it can', async () => {
  const path = join(folder, 'flanneld.sock')
  await writeFile(path, 'precious')
  const { stop, running } = start(path)
  await world.until('told', () => world.fails('status socket', /is there, and is no socket: remove it$/))
  await world.advance(60_000)
  expect(world.logged(/^warn status socket: .*; trying again, the agent goes on/)).toHaveLength(1)
  await rm(path)
  await world.until('answered', () => afterwards(5_000, path))
  await world.until('well', () => world.holds('status socket')) // said once it listens: whoever asks may be faster
  stop.abort()
  await running
  expect(await readdir(folder)).toEqual([])
})

test('it is made anew within a minute after somebody has removed it', async () => {
  const path = join(folder, 'flanneld.sock')
  const { stop, running } = start(path)
  await world.until('answered', () => isAnswered(path))
  await rm(path)
  await world.until('answered again', () => afterwards(60_000, path))
  stop.abort()
  await running
})
