import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'
import type { Outcome } from '../lab/command.ts'
import { waitFor, type Script } from '../lab/index.ts'
import { AGENT_FILE } from '../lab/program.ts'

const FOLDER = join(import.meta.dirname, '../../packaging/init')
const SCRIPT = join(FOLDER, 'sysv/flanneld')
const JOB = readFileSync(join(FOLDER, 'upstart/flanneld.conf'), 'utf8')

/** The lines between `stanza` and `end script`, as Upstart hands them to a shell. */
const scriptOf = (stanza: string): string => {
  const [, body] = new RegExp(String.raw`^${stanza}\n([^]*?)^end script$`, 'm').exec(JOB) ?? []
  if (body === undefined) throw new Error(`there is no ${stanza} in the job`)
  return `set -e\n${body.replaceAll('/usr/bin/flanneld', AGENT_FILE)}`
}

const lab = useLab({ hosts: 1 })
const host = () => lab().host(0)
const endpoints = (): string => lab().etcd.endpoints.join(',')
const sh = (script: string): Promise<string> => host().place.exec('sh', ['-c', script])
const setOptions = (text: string): Promise<string> => {
  const settings = `DAEMON=${AGENT_FILE}\nLOGFILE=/run/flanneld.log\nSTART_TIMEOUT=3\n`
  return host().place.exec('sh', ['-c', 'cat > /etc/default/flanneld'], {
    input: `${settings}FLANNELD_OPTS="--etcd-endpoints=${endpoints()} ${text}"\n`,
  })
}

// This host's own: others in the laboratory, and the machine, share what lies there.
beforeAll(() => sh('mkdir -p /run/default && mount --bind /run/default /etc/default'))

describe('the SysV script', () => {
  const service = (action: string): Promise<Outcome> =>
    host().place.attempt('sh', [SCRIPT, action], { timeoutMs: 60_000 })
  const pid = (): Promise<string> => sh('cat /run/flanneld.pid')

  afterAll(() => service('stop'))

  test('does not hold up the boot while the agent waits, and says so', async () => {
    await setOptions("-iface 'eth0'")
    expect(await service('status')).toMatchObject({ code: 3, stdout: 'flanneld: does not run\n' })
    const { code, stdout } = await service('start')
    expect(code).toBe(0)
    expect(stdout).toContain('still waiting (see /run/flanneld.log)')
    expect(await service('status')).toMatchObject({ code: 0 })
    expect(await sh('cat /run/flanneld.log')).toMatch(/network configuration/)
  })

  test('leaves a running agent alone; a new one is ready when the start ends, and Docker has its options', async () => {
    await lab().putConfig(CONFIG)
    await host().ready()
    const before = await pid()
    expect(await service('start')).toMatchObject({ code: 0, stdout: 'flanneld: is running\n' })
    expect(await service('restart')).toMatchObject({ code: 0, stderr: '' })
    expect(await pid()).not.toBe(before)
    expect(await sh('. /run/docker_opts.env; echo "$DOCKER_OPTS"')).toMatch(/--bip=10\.\d+\.\d+\.1\/20/)
  })

  test('says a wrong flag, and leaves the agent as it was', async () => {
    const before = await pid()
    await setOptions('--ifcae=eth0')
    const { code, stderr } = await service('restart')
    expect(code).toBe(6)
    expect(stderr).toContain('--ifcae: expected a flag of flanneld')
    expect(await pid()).toBe(before)
    expect(await service('status')).toMatchObject({ code: 0 })
  })

  test('stops without taking anything away, and has nothing to do the second time', async () => {
    await setOptions('')
    expect(await service('stop')).toMatchObject({ code: 0, stderr: '' })
    expect(await service('status')).toMatchObject({ code: 3 })
    expect(await service('stop')).toMatchObject({ code: 0 })
    expect((await host().link(DEVICE))?.up).toBe(true)
  })

  test('says why an agent has ended', async () => {
    await setOptions('--subnet-file=/run')
    await sh('rm -f /run/flannel/subnet.env')
    const { code, stderr } = await service('start')
    expect(code).toBe(1)
    expect(stderr).toContain('--subnet-file: expected a regular file')
  })

  test('sees that an agent was killed, and starts another', async () => {
    await setOptions('')
    expect(await service('start')).toMatchObject({ code: 0 })
    await sh('kill -9 "$(cat /run/flanneld.pid)"')
    await waitFor('its death', async () => (await service('status')).code === 1)
    expect(await service('start')).toMatchObject({ code: 0 })
    expect(await service('stop')).toMatchObject({ code: 0 })
  })

  test('is not misled by an id that another process has by now', async () => {
    const other = host().startScript('echo $$ > /run/flanneld.pid; exec sleep 60')
    await waitFor('another process', async () => (await service('status')).code === 1)
    expect(await service('stop')).toMatchObject({ code: 0 })
    await other.end()
  })

  test('refuses an unknown action', async () => {
    const { code, stderr } = await service('reload')
    expect(code).toBe(2)
    expect(stderr).toContain('usage:')
  })
})

describe('the Upstart job', () => {
  let main: Script | undefined

  afterAll(() => main?.end())

  test('starts the agent with the options of the file', async () => {
    await setOptions("-iface 'eth0'")
    await sh('rm -f /run/flannel/subnet.env /run/docker_opts.env')
    main = host().startScript(scriptOf('script'))
    await host().ready()
  })

  test('counts as started when containers can be, and gives up with the agent', async () => {
    const status = (text: string): string => `status() { echo "${text}"; }\n${scriptOf('post-start script')}`
    await sh(status('flanneld start/post-start, process 7'))
    expect(await sh('cat /run/docker_opts.env')).toContain('--bip=')
    await main?.end()
    await sh('rm -f /run/flannel/subnet.env')
    const { code } = await host().place.attempt('sh', ['-c', status('flanneld stop/killed, process 7')])
    expect(code).toBe(1)
  })
})
