import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { geteuid, pid } from 'node:process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { claimHost, holderOfHost, HostTakenError, type ClaimPorts } from '../../../src/host/sole-agent.ts'
import { systemClock } from '../../../src/host/system-clock.ts'
import { listenerOf } from '../../../src/native/unix-listener.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { waitFor } from '../../lab/wait-for.ts'

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
  ports = { clock: systemClock, uid: OWN_UID, listenerOf, say: (text) => said.push(text) }
})

afterEach(() => {
  for (const giveUp of open.splice(0)) giveUp()
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

const claim = async (more: Partial<ClaimPorts> = {}, signal = forever): Promise<void> => {
  open.push(await claimHost({ ...ports, ...more }, signal, socket))
}

/** Another process that claims the host as this module does it. */
async function otherAgent(): Promise<ChildProcess> {
  const script = `
    const { claimHost } = await import('./src/host/sole-agent.ts')
    const { systemClock } = await import('./src/host/system-clock.ts')
    const ports = { clock: systemClock, uid: process.geteuid(), listenerOf: () => 'ECONNREFUSED', say: console.log }
    await claimHost(ports, new AbortController().signal, '${socket}')
    console.log('claimed')
    setInterval(() => undefined, 1000)`
  const args = ['--import', 'tsx', '--input-type=module', '-e', script]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await once(child.stdout, 'data')
  return child
}

describe('the claim on a host', () => {
  test('is had by one agent at a time, and the second is told who has it', async () => {
    await claim()
    expect(holderOfHost(ports, socket)).toEqual({ pid, uid: OWN_UID })
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
    expect(holderOfHost(ports, socket)).toEqual({ pid: other.pid, uid: OWN_UID })
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

  test('cannot be kept from us by another ordinary user', async () => {
    await claim()
    const stranger = { pid: 77, uid: 1234 }
    const asUser = { uid: 1000, listenerOf: () => stranger }
    await claim(asUser)
    expect(said).toEqual([expect.stringContaining(`a process of user 1234 (pid 77) has the name ${socket}`)])
    expect(holderOfHost({ ...ports, ...asUser }, socket)).toBeUndefined()
    expect(holderOfHost({ uid: 1000, listenerOf: () => ({ pid: 77, uid: 0 }) }, socket)).toBeDefined()
  })

  test('does without where the system refuses such a socket, and says so', async () => {
    socket = '/nonexistent/flanneld'
    await claim()
    expect(said).toEqual([
      expect.stringMatching(/cannot be told whether another flanneld runs here: .*(EACCES|ENOENT)/),
    ])
  })

  test('answers however often it has been asked', async () => {
    await claim()
    // More often than a queue of connections is long that nobody accepts (net.core.somaxconn).
    for (let turn = 0; turn < 5_000; turn++) {
      await new Promise(setImmediate)
      expect(holderOfHost(ports, socket)).toMatchObject({ pid })
    }
  })
})
