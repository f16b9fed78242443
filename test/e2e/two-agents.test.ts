import { describe, expect, test } from 'vitest'
import { exitOf } from '../lab/command.ts'
import { forwards, waitFor, type LabHost } from '../lab/index.ts'
import { AGENT, agentCall } from '../lab/program.ts'
import { CONFIG, useLab } from '../lab/use-lab.ts'
import { difference, everything } from './whole-host.ts'

const OTHER_FILE = '/run/other/subnet.env'

describe('a second agent on one host', () => {
  const lab = useLab({ hosts: 1 }, async (made) => {
    await made.putConfig(CONFIG)
    await made.startAgents()
  })

  const host = (): LabHost => lab().host(0)
  const second = (...args: readonly string[]) => host().place.attempt(...agentCall(...args))
  const flags = (): readonly string[] => [
    `--etcd-endpoints=${lab().etcd.endpoints.join(',')}`,
    '--iface=eth0',
    `--subnet-file=${OTHER_FILE}`,
  ]
  const isTaken = (): string =>
    `another flanneld (pid ${host().agent.pid ?? 0}) runs in this network namespace: stop it first`

  test('can be found by its name, and goes on when it is sent SIGHUP, which it says', async () => {
    const { agent, place } = host()
    await forwards(host())
    const pids = async (...command: readonly [string, ...string[]]): Promise<readonly string[]> => {
      const [program, ...args] = command
      return (await place.exec(program, args)).split(/\s+/)
    }
    expect(await pids('pgrep', '-x', 'flanneld')).toContain(`${agent.pid ?? 0}`)
    // of a script it knows the interpreter
    if (AGENT.at(-1)?.endsWith('/flanneld') === true)
      expect(await pids('pidof', 'flanneld')).toContain(`${agent.pid ?? 0}`)
    await place.exec('kill', ['-HUP', `${agent.pid ?? 0}`])
    await waitFor('a line about it', async () =>
      (await agent.log()).includes('info SIGHUP: certificates and keys were'),
    )
    expect(agent.isRunning).toBe(true)
  })

  test('opens nothing for a debugger, and goes on, when it is sent SIGUSR1 or SIGUSR2, which it says', async () => {
    const { agent, place } = host()
    await forwards(host())
    const listeners = (): Promise<string> => place.exec('ss', ['-Hltn'])
    const before = await listeners()
    for (const name of ['SIGUSR1', 'SIGUSR2']) {
      await place.exec('kill', ['-s', name, `${agent.pid ?? 0}`])
      await waitFor('a line about it', async () => (await agent.log()).includes(`info ${name} means nothing`))
    }
    expect(agent.isRunning).toBe(true)
    expect(await listeners()).toBe(before)
  })

  test('ends with exit code 1 and the pid of the first, which notices nothing', async () => {
    await forwards(host())
    const before = { all: await everything(host()), log: await host().agent.log(), revision: await lab().revision() }
    const { code, stderr } = await second(...flags())
    expect(code).toBe(1)
    expect(stderr).toContain(`flanneld: ${isTaken()}\n`)
    expect(stderr).not.toMatch(/\n\s+at /)
    expect(difference(await everything(host()), before.all)).toEqual([])
    expect(await host().agent.log()).toBe(before.log)
    expect(await lab().revision()).toBe(before.revision)
  })

  test('is found by commands also while somebody fills the queue at its claim', async () => {
    const fill = `
      const { connect } = require('node:net')
      let refused = 0
      let left = 200
      for (let at = left; at > 0; at--) {
        const socket = connect({ path: '\\0flanneld'.padEnd(108, '\\0') })
        const told = () => --left === 0 && process.exit(refused > 0 ? 0 : 1)
        socket.on('connect', told).on('error', ({ code }) => told(code === 'EAGAIN' && refused++))
      }`
    await host().place.exec(process.execPath, ['-e', fill])
    const { code, stdout } = await second('leases')
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('(this host)') as unknown })
  })

  test('is told the pid also of one that stands still', async () => {
    host().agent.freeze()
    expect((await second(...flags())).stderr).toContain(isTaken())
    host().agent.thaw()
  })

  test('starts at once when the first was killed, and as soon as a first has ended that is being stopped', async () => {
    await host().agent.kill()
    host().agent.start()
    await forwards(host())
    expect(await host().agent.logOfRun()).not.toContain('another flanneld')

    host().agent.freeze()
    const log = '/run/second.log'
    const line = `exec ${[...AGENT, ...flags()].join(' ')} >${log} 2>&1`
    const child = host().place.start('/dev/null', 'sh', ['-c', line])
    const said = (): Promise<string> => host().place.exec('cat', [log])
    await waitFor('the second to wait', async () => (await said()).includes('waiting for its end'))
    await host().agent.kill()
    await waitFor('the second to be ready', async () => (await host().place.attempt('cat', [OTHER_FILE])).code === 0)
    const ended = exitOf(child)
    child.kill('SIGTERM')
    expect(await ended).toEqual({ code: 0, signal: null })
  })

  test('keeps cleanup from removing anything, and cleanup names it', async () => {
    host().agent.start()
    await forwards(host())
    const before = await everything(host())
    expect(await second('cleanup')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(isTaken()) as unknown,
    })
    const dry = await second('cleanup', '--dry-run')
    expect(dry).toMatchObject({ code: 0, stderr: `flanneld cleanup: ${isTaken()}\n` })
    expect(dry.stdout).toContain('would remove device flannel.100')
    expect(difference(await everything(host()), before)).toEqual([])
    await host().agent.stop()
    expect(await second('cleanup')).toMatchObject({ code: 0, stderr: '' })
  })
})
