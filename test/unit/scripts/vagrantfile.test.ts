import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outcomeOf, type Outcome } from '../../lab/command.ts'
import { parseObjects, type JsonObject } from '../../lab/json.ts'
import { ROOT } from './scripts.ts'

/** Said by the setup of this project, which fetches Vagrant. */
const hindrance = process.env['FLANNEL_NO_SCRIPT_TOOLS']

/** What Vagrant itself has understood of each machine. */
const DESCRIBE = `
require 'json'
gem 'vagrant'
require 'vagrant'
environment = Vagrant::Environment.new
machines = environment.machine_names.map do |name|
  config = environment.vagrantfile.machine_config(name, nil, nil)[:config]
  network = config.vm.networks.find { |kind, _| kind == :private_network }.last
  shell = config.vm.provisioners.first.config
  virtualbox = config.vm.get_provider_config(:virtualbox)
  {
    name: name, hostname: config.vm.hostname, box: config.vm.box,
    ip: network[:ip], internal: network[:virtualbox__intnet],
    script: shell.inline, args: shell.args, env: shell.env, root: shell.privileged,
    customizations: virtualbox.customizations.map { |_, words| words[2..].join(' ') }
  }
end
puts JSON.generate(machines)`

describe.skipIf(hindrance !== undefined)('the Vagrantfile', () => {
  let folder = ''
  type Settings = Readonly<Record<string, string>>
  const run = (command: string, args: readonly string[], settings: Settings): Promise<Outcome> => {
    const own = {
      VAGRANT_HOME: `${folder}/home`,
      VAGRANT_DOTFILE_PATH: `${folder}/dot`,
      VAGRANT_CHECKPOINT_DISABLE: '1',
    }
    const words = Object.entries({ ...own, ...settings }).map(([name, value]) => `${name}=${value}`)
    return outcomeOf(['env', '-C', ROOT, ...words, command, ...args], { timeoutMs: 60_000 })
  }
  const validate = (settings: Settings = {}): Promise<Outcome> =>
    run('vagrant', ['validate', '--ignore-provider'], settings)
  const machines = async (settings: Settings = {}): Promise<readonly JsonObject[]> => {
    const { stdout, stderr } = await run('ruby', ['-e', DESCRIBE], settings)
    expect(stderr).toBe('')
    return parseObjects(stdout)
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vagrantfile-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('is Ruby', async () => {
    expect(await run('ruby', ['-c', '-w', 'Vagrantfile'], {})).toMatchObject({
      code: 0,
      stdout: 'Syntax OK\n',
      stderr: '',
    })
  })

  test('is valid to Vagrant', async () => {
    expect(await validate()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('validated successfully') as string,
    })
  })

  test('has host-one with the master’s address and host-two beside it, apart from everybody else', async () => {
    const [one, two, ...more] = await machines()
    const common = { box: 'bento/ubuntu-24.04', internal: 'flannel', root: true }
    expect(more).toEqual([])
    expect(one).toMatchObject({
      ...common,
      name: 'host-one',
      hostname: 'host-one',
      ip: '192.168.33.10',
      args: ['master'],
    })
    expect(two).toMatchObject({
      ...common,
      name: 'host-two',
      hostname: 'host-two',
      ip: '192.168.33.11',
      args: ['slave'],
    })
    expect(two).toMatchObject({ env: { NODE_IP: '192.168.33.11', MASTER_IP: '192.168.33.10', NETWORK_CONFIG: '' } })
    expect(one).toMatchObject({ script: expect.stringContaining('/vagrant/vagrant/setup.sh') as string })
  })

  test('takes box, number, size and network configuration from the environment', async () => {
    const [NETWORK_CONFIG, settings] = ['{"Network":"10.64.0.0/10"}', { BOX: 'debian/bookworm64', HOSTS: '3' }]
    const found = await machines({ ...settings, MEMORY: '2048', CPUS: '2', NETWORK_CONFIG })
    expect(found.map(({ name, ip, args }) => [name, ip, args])).toEqual([
      ['host-one', '192.168.33.10', ['master']],
      ['host-two', '192.168.33.11', ['slave']],
      ['host-three', '192.168.33.12', ['slave']],
    ])
    expect(found[2]).toMatchObject({
      box: 'debian/bookworm64',
      env: { NETWORK_CONFIG },
      customizations: expect.arrayContaining(['--memory 2048', '--cpus 2']) as string[],
    })
  })

  test.each([{ HOSTS: '10' }, { MEMORY: '2G' }, { CPUS: '-1' }])('says what is wrong with %j', async (settings) => {
    const { code, stderr } = await validate(settings)
    expect(code).not.toBe(0)
    const [[name, value] = []] = Object.entries(settings)
    expect(stderr).toContain(`${name ?? ''}=${value ?? ''}: expected a whole number from `)
  })
})
