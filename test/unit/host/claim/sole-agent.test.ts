import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { geteuid, pid } from 'node:process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { claimSockets } from '../../../../src/commands/this-host.ts'
import { claimHost, holderOfHost, HostTakenError, type ClaimPorts } from '../../../../src/host/claim/sole-agent.ts'
import { systemClock } from '../../../../src/host/system-clock.ts'
import { listenerOf } from '../../../../src/native/unix-listener.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { waitFor } from '../../../lab/wait-for.ts'

const forever = new AbortController().signal
const OWN_UID = geteuid?.() ?? 0

let names = 0
let socket: string
let said: string[]
let ports: ClaimPorts
const open: (() => void)[] = []
const children: ChildProcess[] = []

beforeEach(() => {
  socket = `@flanneld-test-${pid}-${names++}`
  said = []
  ports = {
    ...{ clock: systemClock, uid: OWN_UID, random: Math.random, say: (text) => said.push(text) },
    ...{ sockets: claimSockets, listenerOf, administersNetwork: () => true },
  }
})

afterEach(() => {
  for (const giveUp of open.splice(0)) giveUp()
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

const claim = async (more: Partial<ClaimPorts> = {}, signal = forever): Promise<void> => {
  open.push(await claimHost({ ...ports, ...more }, signal, socket))
}

/** Another process that does this with `socket`, and says so; it stays until it is killed. */
async function otherProcess(script: string): Promise<ChildProcess & { readonly pid: number }> {
  const text = `const socket = '${socket}'\n${script}\nconsole.log('done')\nsetInterval(() => undefined, 1000)`
  const args = ['--import', 'tsx', '--input-type=module', '-e', text]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await once(child.stdout, 'data')
  return Object.assign(child, { pid: child.pid ?? 0 })
}

/** One that claims the host as this module does it. */
const otherAgent = () =>
  otherProcess(`
    const { claimHost } = await import('./src/host/claim/sole-agent.ts')
    const { claimSockets } = await import('./src/commands/this-host.ts')
    const { systemClock } = await import('./src/host/system-clock.ts')
    const { listenerOf } = await import('./src/native/unix-listener.ts')
    const { administersNetwork } = await import('./src/host/claim/process-rights.ts')
    const own = { clock: systemClock, random: Math.random, uid: process.geteuid(), say: console.log }
    await claimHost({ ...own, sockets: claimSockets, listenerOf, administersNetwork }, new AbortController().signal, socket)`)

/** One as version 0.1.0 does it: the name is filled up with zeros, and whoever connects is sent away. */
const agentOfBefore = () =>
  otherProcess(`
    const { createServer } = await import('node:net')
    await new Promise((done) => createServer((asking) => asking.destroy()).listen(socket.replace('@', '\\0').padEnd(108, '\\0'), done))`)

/** Processor time that a process has taken, in clock ticks (proc(5)). */
const ticksOf = (of: number): number => {
  const fields = readFileSync(`/proc/${of}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ')
  return Number(fields[11]) + Number(fields[12])
}

describe('the claim on a host', () => {
  test('is had by one agent at a time, and the second is told who has it', async () => {
    await claim()
    expect(holderOfHost(ports, socket)).toEqual({ pid })
    const clock = new FakeClock()
    const second = claim({ clock }).then(
      () => 'claimed',
      (error: unknown) => error,
    )
    await waitFor('the second to wait', () => clock.sleeping > 0)
    await clock.advance(2_900)
    expect(said).toEqual([`another flanneld (pid ${pid}) runs here; waiting for its end`])
    for (let turn = 0; turn < 10; turn++) await clock.advance(100)
    expect(await second).toBeInstanceOf(HostTakenError)
    expect(await second).toMatchObject({ message: expect.stringContaining(`(pid ${pid})`) as unknown })
  })

  test('is free at once when the process that has it is killed, and known to be held while that stands still', async () => {
    const other = await otherAgent()
    other.kill('SIGSTOP')
    expect(holderOfHost(ports, socket)).toEqual({ pid: other.pid })
    other.kill('SIGKILL')
    await once(other, 'close')
    expect(holderOfHost(ports, socket)).toBeUndefined()
    await claim()
    expect(said).toEqual([])
  })

  test('comes to whoever waits for an agent that is just ending', async () => {
    const other = await otherAgent()
    const second = claim()
    await waitFor('the second to wait', () => said.length > 0)
    other.kill('SIGKILL')
    await second
    expect(holderOfHost(ports, socket)).toMatchObject({ pid })
  })

  test('is not waited for once the agent is asked to stop', async () => {
    await claim()
    const stop = new AbortController()
    const second = claim({}, stop.signal)
    await waitFor('the second to wait', () => said.length > 0)
    stop.abort()
    await second
    expect(holderOfHost(ports, socket)).toMatchObject({ pid })
  })

  test('is that of an agent of an earlier version, too', async () => {
    const { pid: other } = await agentOfBefore()
    const clock = new FakeClock()
    const second = claim({ clock }).catch((error: unknown) => error)
    for (let turn = 0; turn < 100; turn++) await clock.advance(70)
    expect(await second).toMatchObject({ message: expect.stringContaining(`(pid ${other})`) as unknown })
  })

  test('is not that of a process without the right to administer the network, and two agents beside it know of each other', async () => {
    const { pid: other } = await agentOfBefore()
    const administers = (asked: number): boolean => asked !== other
    await claim({ administersNetwork: administers })
    expect(said).toEqual([
      expect.stringContaining(
        `a process of user ${OWN_UID} (pid ${other}) that may not administer the network has the name`,
      ),
    ])
    expect(holderOfHost({ ...ports, administersNetwork: administers }, socket)).toEqual({ pid })
    const clock = new FakeClock()
    const second = claim({ clock, administersNetwork: administers }).catch((error: unknown) => error)
    for (let turn = 0; turn < 100; turn++) await clock.advance(70)
    expect(await second).toBeInstanceOf(HostTakenError)
  })

  test('is had by exactly one of several that begin at the same time', async () => {
    const attempts = Array.from({ length: 8 }, () =>
      claim().then(
        () => 'had',
        () => 'refused',
      ),
    )
    expect((await Promise.all(attempts)).filter((end) => end === 'had')).toHaveLength(1)
  })

  test('does without a list of sockets where the kernel gives none, by the one name', async () => {
    const sockets = { ...claimSockets, socketsNamed: () => 'unix sockets: ENOENT' }
    await claim({ sockets })
    expect(holderOfHost({ ...ports, sockets }, socket)).toEqual({ pid })
    const asUser = { uid: 1000, sockets, listenerOf: () => ({ pid: 77, uid: 1234 }) }
    await claim(asUser)
    expect(said).toEqual([
      `it cannot be told whether another flanneld runs here: a process of user 1234 (pid 77) has the name ${socket}`,
    ])
    expect(holderOfHost({ ...ports, ...asUser }, socket)).toBeUndefined()
    expect(holderOfHost({ ...ports, ...asUser, listenerOf: () => ({ pid: 77, uid: 0 }) }, socket)).toBeDefined()
  })

  test('does without where the system refuses such a socket, and says so', async () => {
    socket = '/nonexistent/flanneld'
    await claim()
    expect(said).toEqual([
      expect.stringMatching(/cannot be told whether another flanneld runs here: .*(EACCES|ENOENT)/),
    ])
  })

  test('takes no processor time of its holder, however many connect, and is known all the same', async () => {
    const { pid: other } = await otherAgent()
    const before = ticksOf(other)
    // More often than a queue of connections is long that nobody accepts (net.core.somaxconn).
    for (let turn = 0; turn < 20_000; turn++) listenerOf(socket.padEnd(108, '\0'))
    expect(ticksOf(other) - before).toBeLessThan(15)
    expect(holderOfHost(ports, socket)).toBeDefined()
    const clock = new FakeClock()
    const second = claim({ clock }).catch((error: unknown) => error)
    for (let turn = 0; turn < 100; turn++) await clock.advance(70)
    expect(await second).toBeInstanceOf(HostTakenError)
  })
})
