import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { pid } from 'node:process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { claimSockets } from '../../src/commands/this-host.ts'
import { administersNetwork } from '../../src/host/claim/process-rights.ts'
import { claimHost, holderOfHost, HostTakenError, type ClaimPorts } from '../../src/host/claim/sole-agent.ts'
import { systemClock } from '../../src/host/system-clock.ts'
import { listenerOf } from '../../src/native/unix-listener.ts'
import { FakeClock } from '../fake/fake-clock.ts'

const NOBODY = 65_534
const forever = new AbortController().signal

/** Binds the name, and does no more. */
const BIND = `use Socket; my $name = pack_sockaddr_un(pack "a108", "\\0$ARGV[0]"); socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; bind($s, $name) or die "$!";`
const STAY = `$| = 1; print "done\\n"; sleep 1000;`
const LISTEN = `${BIND} listen($s, 64) or die;`
/** Nobody can ask such a one: its queue takes one, and has it. */
const CROWD = `${BIND} listen($s, 0) or die; socket(my $c, AF_UNIX, SOCK_STREAM, 0); connect($c, $name) or die "$!";`
/** The process that began to listen has ended when it says that it is done. */
const INHERIT = `${LISTEN} my $first = $$; if (fork) { exit } select(undef, undef, undef, 0.02) while getppid == $first;`

const AS_NONE: readonly string[] = []
const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] as const
/** As root in a container that has the host's network, but not the right to administer it. */
const AS_CONTAINER_ROOT = ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'] as const
const AS_ROOT_OF_ANOTHER_NAMESPACE = ['unshare', '--user', '--map-root-user'] as const

let names = 0
let socket: string
let said: string[]
let ports: ClaimPorts
const open: (() => void)[] = []
const children: ChildProcess[] = []

beforeEach(() => {
  socket = `@flanneld-root-test-${pid}-${names++}`
  said = []
  ports = {
    ...{ clock: systemClock, uid: 0, random: Math.random, say: (text) => said.push(text) },
    ...{ sockets: claimSockets, listenerOf, administersNetwork },
  }
})

afterEach(() => {
  for (const giveUp of open.splice(0)) giveUp()
  // In groups of their own: one has ended, and left a child.
  for (const { pid: leader = 0 } of children.splice(0)) if (leader > 0) process.kill(-leader, 'SIGKILL')
})

const claim = async (): Promise<void> => {
  open.push(await claimHost(ports, forever, socket))
}

/** What becomes of an agent that starts while another runs. */
async function refusal(): Promise<unknown> {
  const clock = new FakeClock()
  const second = claimHost({ ...ports, clock }, forever, socket).catch((error: unknown) => error)
  for (let turn = 0; turn < 100; turn++) await clock.advance(70)
  return second
}

async function start(command: readonly string[]): Promise<void> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  children.push(child)
  await once(child.stdout, 'data')
}

const squat = (as: readonly string[], script: string): Promise<void> =>
  start([...as, 'perl', '-e', script + STAY, socket.slice(1)])

describe('the claim on a host', () => {
  test.each([
    ['an ordinary user who does not listen', AS_NOBODY, BIND],
    ['an ordinary user who listens', AS_NOBODY, LISTEN],
    ['an ordinary user whom nobody can ask', AS_NOBODY, CROWD],
    ['root of a container, without listening', AS_CONTAINER_ROOT, BIND],
    ['root of a container that listens', AS_CONTAINER_ROOT, LISTEN],
    ['root, by a process that has ended', AS_NONE, INHERIT],
    ['root of a container whom nobody can ask', AS_CONTAINER_ROOT, CROWD],
    ['root of a user namespace', [...AS_NOBODY, ...AS_ROOT_OF_ANOTHER_NAMESPACE], LISTEN],
  ])('is not kept from us by %s, and two agents beside it know of each other', async (_who, as, script) => {
    await squat(as, script)
    await claim()
    expect(said).toEqual([
      expect.stringMatching(/^a process.* has the name @flanneld-root-test-.*, and is no flanneld/),
    ])
    expect(holderOfHost(ports, socket)).toEqual({ pid })
    expect(await refusal()).toBeInstanceOf(HostTakenError)
  })

  test('is known to be that of an agent of another user who may administer the network, also when nobody can ask it', async () => {
    const caps = ['--inh-caps=+net_admin', '--ambient-caps=+net_admin', '--bounding-set=-all,+net_admin']
    const script = `
      const { claimSockets } = await import('./src/commands/this-host.ts')
      if (typeof claimSockets.listen('${socket}'.padEnd(108, '\\0')) === 'string') throw new Error('not claimed')
      console.log('done')
      setInterval(() => undefined, 1000)`
    await start([...AS_NOBODY, ...caps, process.execPath, '--import', 'tsx', '--input-type=module', '-e', script])
    expect(await refusal()).toMatchObject({
      message: expect.stringMatching(/^another flanneld \(pid \d+\) runs/) as unknown,
    })
    for (let turn = 0; turn < 1_000; turn++) listenerOf(socket.padEnd(108, '\0'))
    expect(listenerOf(socket.padEnd(108, '\0'))).toBe('EAGAIN')
    expect(await refusal()).toMatchObject({ message: expect.stringMatching(/^another flanneld runs/) as unknown })
    expect(holderOfHost(ports, socket)).toBeDefined()
  })
})
