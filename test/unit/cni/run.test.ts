import { execFileSync, spawnSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { chmod, mkdir, utimes, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { waitFor } from '../../lab/wait-for.ts'
import { runCni } from '../../../src/cni/run.ts'
import { errorOf, parseObject, PluginWorld, RESULT, SUBNET_ENV } from '../../fake/scripted-plugin.ts'

const UPSTREAM_CONF = {
  cniVersion: '1.0.0',
  ipMasq: true,
  ipam: { ranges: [[{ subnet: '10.15.64.0/20' }]], routes: [{ dst: '10.0.0.0/8' }], type: 'host-local' },
  isGateway: true,
  mtu: 1450,
  name: 'net',
  type: 'bridge',
}

describe('ADD', () => {
  it('calls bridge with what the subnet file says, and gives its result', async () => {
    const world = await PluginWorld.create()
    expect(await world.run('ADD', {}, { CNI_ARGS: 'K8S_POD_NAME=web' })).toEqual({ stdout: `${RESULT}\n`, exitCode: 0 })
    expect(await world.calls()).toEqual(['bridge ADD c1 eth0 K8S_POD_NAME=web'])
    expect(await world.conf()).toEqual(UPSTREAM_CONF)
  })

  it('saves the configuration before the call, for its owner alone, under the name upstream uses', async () => {
    const world = await PluginWorld.create()
    await world.install('bridge', `cp -r ${world.dataDir} ${world.folder}/seen; echo '${RESULT}'`)
    await world.run('ADD')
    expect(await world.saved()).toEqual(['c1'])
    expect(await world.savedConf('c1')).toEqual(UPSTREAM_CONF)
    expect(await world.savedConf('../seen/c1')).toEqual(UPSTREAM_CONF)
    expect([await world.mode(), await world.mode('c1')]).toEqual(['700', '600'])
  })

  it('lets the delegate decide about everything but name and ipam', async () => {
    const world = await PluginWorld.create()
    const delegate = { type: 'ptp', mtu: 9000, ipMasq: true, hairpinMode: true }
    await world.install('ptp', `echo '${RESULT}'`)
    await world.run('ADD', { cniVersion: '0.3.1', delegate, runtimeConfig: { mac: '02:00:00:00:00:01' } })
    const conf = await world.conf()
    expect(conf).toMatchObject({
      ...delegate,
      name: 'net',
      cniVersion: '0.3.1',
      runtimeConfig: { mac: '02:00:00:00:00:01' },
    })
    expect(conf).not.toHaveProperty('isGateway')
  })

  it('completes the ipam section: routes are added to, ranges set', async () => {
    const world = await PluginWorld.create()
    const ipam = { dataDir: '/var/lib/x', ranges: [], routes: [{ dst: '192.168.0.0/16', gw: '10.15.64.1' }] }
    await world.run('ADD', { ipam })
    expect((await world.conf())['ipam']).toEqual({
      type: 'host-local',
      dataDir: '/var/lib/x',
      ranges: [[{ subnet: '10.15.64.0/20' }]],
      routes: [{ dst: '192.168.0.0/16', gw: '10.15.64.1' }, { dst: '10.0.0.0/8' }],
    })
  })

  it('gives both families a range and every network a route', async () => {
    const world = await PluginWorld.create()
    const ipv6 = 'FLANNEL_IPV6_NETWORK=fd00:10::/48\nFLANNEL_IPV6_SUBNET=fd00:10:0:7::1/64\n'
    await writeFile(world.subnetFile, `${SUBNET_ENV}${ipv6}`.replace('10.0.0.0/8', '10.0.0.0/8,172.20.0.0/16'))
    await world.run('ADD')
    expect((await world.conf())['ipam']).toMatchObject({
      ranges: [[{ subnet: '10.15.64.0/20' }], [{ subnet: 'fd00:10:0:7::/64' }]],
      routes: [{ dst: '10.0.0.0/8' }, { dst: '172.20.0.0/16' }, { dst: 'fd00:10::/48' }],
    })
  })

  it('leaves masquerading to the agent where that does it', async () => {
    const world = await PluginWorld.create()
    await writeFile(world.subnetFile, SUBNET_ENV.replace('IPMASQ=false', 'IPMASQ=true'))
    await world.run('ADD')
    expect(await world.conf()).toMatchObject({ ipMasq: false })
  })

  it('takes files and folders from the configuration, whose keys may be in any case', async () => {
    const world = await PluginWorld.create()
    const [SubnetFile, dataDir] = [join(world.folder, 'other.env'), join(world.folder, 'other')]
    await writeFile(SubnetFile, SUBNET_ENV.replace('1450', '1400'))
    await world.run('ADD', { SubnetFile, dataDir })
    expect(await world.conf()).toMatchObject({ mtu: 1400 })
    expect(await world.savedConf('../other/c1')).toMatchObject({ mtu: 1400 })
  })

  it('passes the delegate’s own error on, with its exit code', async () => {
    const world = await PluginWorld.create()
    const error = '{"cniVersion":"1.0.0","code":11,"msg":"busy","details":"dad"}'
    await world.install('bridge', `echo '${error}'; exit 3`)
    expect(await world.run('ADD')).toEqual({ stdout: `${error}\n`, exitCode: 3 })
    expect(await world.saved()).toEqual(['c1']) // for the DEL that follows
  })

  it.each([
    ['is killed', 'kill -9 $$', 'was ended by SIGKILL'],
    ['prints garbage and fails', 'echo panic; exit 2', 'ended with exit code 2 and no CNI error'],
    ['fails without a word', 'exit 1', 'ended with exit code 1 and no CNI error'],
    ['succeeds without a result', 'true', 'printed no result'],
    ['prints an array', 'echo []', 'printed no result'],
  ])('says so when the delegate %s', async (_, body, words) => {
    const world = await PluginWorld.create()
    await world.install('bridge', body)
    const answer = await world.run('ADD')
    expect(answer.exitCode).toBe(1)
    expect(errorOf(answer)).toMatchObject({
      cniVersion: '1.0.0',
      code: 999,
      msg: `flannel: the delegate bridge ${words}`,
    })
  })

  it('ends the delegate when it is stopped itself, and says so', async () => {
    const world = await PluginWorld.create()
    await world.install('bridge', 'exec sleep 60')
    const answer = world.run('ADD')
    await waitFor('the call', async () => (await world.calls()).length === 1)
    world.stop.abort()
    const late = delay(10_000, undefined, { ref: false }).then(() => ({ stdout: 'late', exitCode: 0 }))
    expect(errorOf(await Promise.race([answer, late]))).toMatchObject({ code: 999 })
  })

  it('ends also while it waits for standard input', async () => {
    const stop = new AbortController()
    const silence: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
    }
    const environment = { CNI_COMMAND: 'VERSION' }
    const answer = runCni({ environment, stdin: silence, stopSignal: stop.signal, about: '', remark: () => undefined })
    stop.abort()
    expect(errorOf(await answer)).toMatchObject({ code: 999 })
  })

  it('reads no more of a large result than there is, and of a large configuration everything', async () => {
    const world = await PluginWorld.create()
    await world.install('bridge', `printf '{"x":"'; head -c 300000 /dev/zero | tr '\\0' a; printf '"}'`)
    const { stdout } = await world.run('ADD', { delegate: { note: 'b'.repeat(300_000) } })
    expect(stdout).toHaveLength(300_000 + '{"x":""}'.length)
    expect(String((await world.conf())['note'])).toHaveLength(300_000)
  })

  it('serves many containers at once', async () => {
    const world = await PluginWorld.create()
    const ids = Array.from({ length: 40 }, (_, at) => `c${at}`)
    const all = (command: string) => Promise.all(ids.map((id) => world.run(command, {}, { CNI_CONTAINERID: id })))
    expect((await all('ADD')).every(({ exitCode }) => exitCode === 0)).toBe(true)
    expect([...(await world.saved())].sort()).toEqual([...ids].sort())
    expect((await all('DEL')).every(({ exitCode }) => exitCode === 0)).toBe(true)
    expect(await world.saved()).toEqual([])
  })
})

describe('DEL', () => {
  it('uses what was saved, with or without a subnet file, and forgets it', async () => {
    const world = await PluginWorld.create()
    await world.run('ADD')
    await world.removeSubnetFile()
    const prevResult = parseObject(RESULT)
    expect(await world.run('DEL', { prevResult }, { CNI_NETNS: '' })).toEqual({ stdout: '', exitCode: 0 })
    expect(await world.calls()).toEqual(['bridge ADD c1 eth0', 'bridge DEL c1 eth0'])
    expect(await world.conf()).toEqual({ ...UPSTREAM_CONF, prevResult })
    expect(await world.saved()).toEqual([])
  })

  it('uses what upstream has saved', async () => {
    const world = await PluginWorld.create()
    await world.install('ptp', '')
    await world.save('c1', JSON.stringify({ ...UPSTREAM_CONF, type: 'ptp', mtu: 1400, cniVersion: '0.3.1' }))
    expect(await world.run('DEL')).toEqual({ stdout: '', exitCode: 0 })
    expect(await world.conf()).toEqual({ ...UPSTREAM_CONF, type: 'ptp', mtu: 1400, cniVersion: '0.3.1' })
    expect(await world.saved()).toEqual([])
  })

  it.each([
    ['nothing was saved', undefined],
    ['what was saved is cut short', '{"type":"bri'],
    ['what was saved is empty', ''],
    ['what was saved is no configuration', '{"name":"net","type":"../../bin/sh"}'],
  ])('undoes what ADD would do now when %s', async (_, saved) => {
    const world = await PluginWorld.create()
    if (saved !== undefined) await world.save('c1', saved)
    expect(await world.run('DEL')).toEqual({ stdout: '', exitCode: 0 })
    expect(world.remarks.join()).not.toContain('the delegate says')
    expect(await world.calls()).toEqual(['bridge DEL c1 eth0'])
    expect(await world.conf()).toEqual(UPSTREAM_CONF)
    expect(await world.saved()).toEqual([])
  })

  it('succeeds when nothing is known, however often', async () => {
    const world = await PluginWorld.create()
    await world.removeSubnetFile()
    for (let round = 0; round < 3; round++) expect(await world.run('DEL')).toEqual({ stdout: '', exitCode: 0 })
    expect(await world.calls()).toEqual([])
    expect(world.remarks.join()).toContain('nothing is known of this container')
  })

  it('succeeds when nothing was saved and the delegate refuses', async () => {
    const world = await PluginWorld.create()
    await world.install('bridge', `echo '{"code":7,"msg":"no"}'; exit 1`)
    expect(await world.run('DEL')).toEqual({ stdout: '', exitCode: 0 })
  })

  it('keeps what was saved until the delegate has succeeded', async () => {
    const world = await PluginWorld.create()
    await world.run('ADD')
    await world.install('bridge', `echo '{"code":11,"msg":"busy"}'; exit 1`)
    expect(errorOf(await world.run('DEL'))).toEqual({ code: 11, msg: 'busy' })
    expect(await world.saved()).toEqual(['c1'])
    await world.install('bridge', 'true')
    expect(await world.run('DEL')).toEqual({ stdout: '', exitCode: 0 })
    expect(await world.saved()).toEqual([])
  })

  it('removes what killed ADDs have left, and not what one is just writing', async () => {
    const world = await PluginWorld.create()
    const [left, other, fresh] = ['c1', 'c2', 'c1'].map(
      (id, at) => `.${id}.0192c3a4-0000-4000-8000-00000000000${at}.tmp`,
    )
    for (const name of [left, other, fresh]) await world.save(name ?? '', '{')
    const longAgo = new Date(Date.now() - 60_000)
    for (const name of [left, other]) await utimes(join(world.dataDir, name ?? ''), longAgo, longAgo)
    await world.run('DEL')
    expect(await world.saved()).toEqual([fresh])
  })
})

describe('what others have put into the folders', () => {
  it.each([
    ['a FIFO', 'mkfifo "$1"'],
    ['a device', 'ln -s /dev/zero "$1"'],
    ['a directory', 'mkdir "$1"'],
    ['a file without an end', 'truncate -s 1T "$1"'],
  ])('holds nobody up, and stays: %s in the place of what is saved', async (_, make) => {
    const world = await PluginWorld.create()
    await world.save('other', '{}')
    execFileSync('sh', ['-c', make, 'sh', join(world.dataDir, 'c1')])
    expect(await world.run('ADD')).toMatchObject({ exitCode: 0 })
    expect(await world.run('DEL')).toMatchObject({ exitCode: 0 })
    expect(await world.calls()).toEqual(['bridge ADD c1 eth0', 'bridge DEL c1 eth0'])
    expect(await world.run('GC', { 'cni.dev/valid-attachments': [], cniVersion: '1.1.0' })).toMatchObject({
      exitCode: 0,
    })
    expect((await world.saved()).toSorted()).toEqual(['c1', 'other'])
  })

  it('is no delegate: a FIFO of its name', async () => {
    const world = await PluginWorld.create()
    execFileSync('mkfifo', [join(world.folder, 'bin/ptp')])
    expect(errorOf(await world.run('ADD', { delegate: { type: 'ptp' } }))).toMatchObject({ code: 5 })
  })

  it('is no delegate below the folder that we are called in', async () => {
    const world = await PluginWorld.create()
    const answer = await world.run(
      'ADD',
      {},
      { CNI_PATH: `bin:.:${relative(process.cwd(), join(world.folder, 'bin'))}` },
    )
    expect(errorOf(answer)).toMatchObject({ code: 5, msg: 'flannel: there is no plugin bridge on CNI_PATH' })
    expect(await world.calls()).toEqual([])
  })
})

describe('ADD and DEL of one container at once', () => {
  it('do not fail over each other’s temporary files', async () => {
    const world = await PluginWorld.create()
    const calls = Array.from({ length: 60 }, (_, at) => world.run(at % 2 === 0 ? 'ADD' : 'DEL'))
    for (const answer of await Promise.all(calls)) expect(answer).toMatchObject({ exitCode: 0 })
    expect((await world.saved()).filter((name) => name.startsWith('.'))).toEqual([])
  })
})

describe('several attachments of one container', () => {
  const second = { name: 'other', delegate: { bridge: 'cni1' } }
  const onNet1 = { CNI_IFNAME: 'net1' }

  it.each([
    ['the main one first', ['main', 'second']],
    ['the main one last', ['second', 'main']],
  ])('keep a configuration each, %s', async (_, order) => {
    const world = await PluginWorld.create()
    for (const which of order) await (which === 'main' ? world.run('ADD') : world.run('ADD', second, onNet1))
    expect(await world.saved()).toHaveLength(2)
    expect(await world.savedConf('c1')).toMatchObject({ name: 'net' })
    await world.removeSubnetFile()
    await world.run('DEL', second, onNet1)
    expect(await world.conf()).toMatchObject({ name: 'other', bridge: 'cni1' })
    expect(await world.saved()).toEqual(['c1'])
    await world.run('DEL')
    expect(await world.conf()).toEqual(UPSTREAM_CONF)
    expect(await world.saved()).toEqual([])
  })

  it('may be to the same network', async () => {
    const world = await PluginWorld.create()
    await world.run('ADD')
    await world.run('ADD', {}, onNet1)
    expect(await world.saved()).toHaveLength(2)
    await world.run('DEL', {}, onNet1)
    expect(await world.saved()).toEqual(['c1'])
  })

  it('do not lose the first when a second ADD for the same interface fails', async () => {
    const world = await PluginWorld.create()
    await world.run('ADD')
    await world.run('ADD', second)
    await world.run('DEL', second)
    expect(await world.savedConf('c1')).toMatchObject({ name: 'net' })
  })

  it('find the one file that upstream has for an interface of another name', async () => {
    const world = await PluginWorld.create()
    await world.save('c1', JSON.stringify({ ...UPSTREAM_CONF, name: 'other', mtu: 1400 }))
    await world.run('DEL') // of the main network, whose file was overwritten: by what ADD would do now
    expect(await world.conf()).toEqual(UPSTREAM_CONF)
    await world.run('DEL', second, onNet1)
    expect(await world.conf()).toMatchObject({ name: 'other', mtu: 1400 })
    expect(await world.saved()).toEqual([])
  })
})

describe('CHECK', () => {
  it('hands the delegate what it was added with, and the result of that', async () => {
    const world = await PluginWorld.create()
    await world.run('ADD')
    await world.removeSubnetFile()
    await world.install('bridge', 'true')
    const prevResult = parseObject(RESULT)
    expect(await world.run('CHECK', { prevResult })).toEqual({ stdout: '', exitCode: 0 })
    expect(await world.conf()).toEqual({ ...UPSTREAM_CONF, prevResult })
    expect(await world.saved()).toEqual(['c1'])
  })

  it('passes on that something is wrong', async () => {
    const world = await PluginWorld.create()
    await world.run('ADD')
    await world.install('bridge', `echo '{"code":100,"msg":"no address"}'; exit 1`)
    expect(errorOf(await world.run('CHECK'))).toEqual({ code: 100, msg: 'no address' })
  })

  it('does not know a container that was not added', async () => {
    const world = await PluginWorld.create()
    expect(errorOf(await world.run('CHECK'))).toMatchObject({ code: 3, msg: 'flannel: container c1 is unknown' })
  })

  it('does not exist before version 0.4.0', async () => {
    const world = await PluginWorld.create()
    expect(errorOf(await world.run('CHECK', { cniVersion: '0.3.1' }))).toMatchObject({ code: 1, cniVersion: '0.3.1' })
  })
})

describe.each([
  ['gone', undefined, 11],
  ['another', SUBNET_ENV.replaceAll('10.15.64.1', '10.15.80.1').replace('1450', '1400'), undefined],
  ['rubbish', 'rubbish', 6],
])('a subnet file that is %s since ADD', (_, text, code) => {
  const conf = { cniVersion: '1.1.0' }
  async function added(): Promise<PluginWorld> {
    const world = await PluginWorld.create()
    await world.run('ADD', conf)
    if (text === undefined) await world.removeSubnetFile()
    else await writeFile(world.subnetFile, text)
    return world
  }

  it.each(['CHECK', 'DEL'])('is nothing to %s, which goes by what was saved', async (command) => {
    const world = await added()
    await world.install('bridge', 'true')
    expect(await world.run(command, conf)).toEqual({ stdout: '', exitCode: 0 })
    expect(await world.conf()).toEqual({ ...UPSTREAM_CONF, ...conf })
  })

  it('decides what a DEL does of which nothing was saved, and never whether it succeeds', async () => {
    const world = await added()
    const calls = (await world.calls()).length
    expect(await world.run('DEL', conf, { CNI_CONTAINERID: 'c2' })).toEqual({ stdout: '', exitCode: 0 })
    expect((await world.calls()).slice(calls)).toEqual(code === undefined ? ['bridge DEL c2 eth0'] : [])
    if (code === undefined) expect(await world.conf()).toMatchObject({ mtu: 1400 })
  })

  it('decides what GC does', async () => {
    const world = await added()
    const answer = await world.run('GC', { ...conf, 'cni.dev/valid-attachments': [] })
    if (code === undefined) expect(answer.exitCode).toBe(0)
    else expect(errorOf(answer)).toMatchObject({ code })
    expect(await world.saved()).toEqual(code === undefined ? [] : ['c1'])
  })
})

describe('VERSION', () => {
  it.each([
    ['{"cniVersion":"0.4.0"}', '0.4.0'],
    ['{"cniVersion":"9.0.0"}', '1.1.0'],
    ['', '1.1.0'],
    ['no JSON', '1.1.0'],
  ])('names every version we speak, asked with %j', async (conf, cniVersion) => {
    const world = await PluginWorld.create()
    const answer = await world.run('VERSION', conf, { CNI_PATH: '', CNI_CONTAINERID: '' })
    expect(parseObject(answer.stdout)).toEqual({
      cniVersion,
      supportedVersions: ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'],
    })
  })

  it('is told to a person who calls the plugin by hand', async () => {
    const world = await PluginWorld.create()
    expect(await world.run('')).toEqual({ stdout: '', exitCode: 0 })
    expect(world.remarks).toEqual(['flannel test'])
  })
})

describe('STATUS', () => {
  const conf = { cniVersion: '1.1.0' }

  it('is well when the delegate is', async () => {
    const world = await PluginWorld.create()
    expect(await world.run('STATUS', conf)).toEqual({ stdout: '', exitCode: 0 })
    expect(await world.calls()).toEqual(['bridge STATUS c1 eth0'])
  })

  it('is "not available" without a subnet file or a delegate', async () => {
    const world = await PluginWorld.create()
    expect(errorOf(await world.run('STATUS', { ...conf, delegate: { type: 'absent' } }))).toMatchObject({ code: 50 })
    await world.removeSubnetFile()
    expect(errorOf(await world.run('STATUS', conf))).toMatchObject({ code: 50 })
  })

  it('is what the delegate says where that is not well', async () => {
    const world = await PluginWorld.create()
    await world.install('bridge', `echo '{"cniVersion":"1.1.0","code":51,"msg":"limited"}'; exit 1`)
    const answer = await world.run('STATUS', conf)
    expect([errorOf(answer)['code'], answer.exitCode]).toEqual([51, 1])
  })

  it('is "not available" where a folder has the name of the delegate, and well where a later one has it', async () => {
    const world = await PluginWorld.create()
    const first = join(world.folder, 'first')
    await mkdir(join(first, 'bridge'), { recursive: true })
    const inFirst = await world.run('STATUS', conf, { CNI_PATH: first })
    expect(errorOf(inFirst)).toMatchObject({ code: 50, msg: 'flannel: there is no plugin bridge on CNI_PATH' })
    const path = `${first}:${join(world.folder, 'bin')}`
    expect(await world.run('STATUS', conf, { CNI_PATH: path })).toEqual({ stdout: '', exitCode: 0 })
  })

  it('does not exist before version 1.1.0', async () => {
    const world = await PluginWorld.create()
    expect(errorOf(await world.run('GC')), 'nor does GC').toMatchObject({ code: 1 })
    expect(errorOf(await world.run('STATUS'))).toMatchObject({ code: 1 })
  })
})

describe('GC', () => {
  it('forgets what is not in the list any more, of this network alone', async () => {
    const world = await PluginWorld.create()
    for (const [id, ifname, name] of [
      ['a', 'eth0', 'net'],
      ['a', 'net1', 'net'],
      ['b', 'eth0', 'net'],
      ['c', 'eth0', 'other'],
    ] as const)
      await world.run('ADD', { name }, { CNI_CONTAINERID: id, CNI_IFNAME: ifname })
    const valid = [{ containerID: 'a', ifname: 'eth0' }]
    const conf = { cniVersion: '1.1.0', 'cni.dev/valid-attachments': valid }
    expect(await world.run('GC', conf)).toEqual({ stdout: '', exitCode: 0 })
    expect(await world.conf()).toMatchObject({ name: 'net', 'cni.dev/valid-attachments': valid })
    expect([...(await world.saved())].sort()).toEqual(['a', 'c'])
  })

  it.each([[undefined], ['all'], [[{ containerID: 'a' }]], [[null]]])(
    'touches nothing given the list %j',
    async (list) => {
      const world = await PluginWorld.create()
      await world.run('ADD')
      const conf = { cniVersion: '1.1.0', 'cni.dev/valid-attachments': list }
      expect(errorOf(await world.run('GC', conf))).toMatchObject({ code: 7 })
      expect(await world.saved()).toEqual(['c1'])
      expect(await world.calls()).toHaveLength(1)
    },
  )
})

describe('what is refused', () => {
  it.each([
    [4, 'unknown CNI_COMMAND "add"', 'add', {}, {}],
    [4, 'missing in the environment: CNI_CONTAINERID, CNI_NETNS', 'ADD', {}, { CNI_CONTAINERID: '', CNI_NETNS: '' }],
    ...['ADD', 'DEL', 'CHECK', 'STATUS', 'GC'].map(
      (command) => [4, 'missing in the environment: CNI_PATH', command, {}, { CNI_PATH: '' }] as const,
    ),
    [4, 'invalid CNI_CONTAINERID "../c1"', 'ADD', {}, { CNI_CONTAINERID: '../c1' }],
    [4, 'invalid CNI_CONTAINERID ".."', 'DEL', {}, { CNI_CONTAINERID: '..' }],
    [4, 'invalid CNI_CONTAINERID "a/b"', 'CHECK', {}, { CNI_CONTAINERID: 'a/b' }],
    [4, 'invalid CNI_CONTAINERID "a:b"', 'ADD', {}, { CNI_CONTAINERID: 'a:b' }],
    [4, 'invalid CNI_CONTAINERID "c1\\n"', 'ADD', {}, { CNI_CONTAINERID: 'c1\n' }],
    [4, 'invalid CNI_IFNAME "a-name-far-too-long"', 'ADD', {}, { CNI_IFNAME: 'a-name-far-too-long' }],
    [4, 'invalid CNI_IFNAME "e 0"', 'ADD', {}, { CNI_IFNAME: 'e 0' }],
    [1, 'incompatible CNI version', 'ADD', { cniVersion: '2.0.0' }, {}],
    [6, 'cannot read the network configuration on standard input', 'ADD', '{', {}],
    [6, 'cannot read the network configuration on standard input', 'DEL', '[]', {}],
    [7, 'invalid network configuration', 'ADD', { name: '' }, {}],
    [7, 'invalid network configuration', 'ADD', { name: '../net' }, {}],
    [7, 'invalid network configuration', 'ADD', { delegate: { name: 'x' } }, {}],
    [7, 'invalid network configuration', 'ADD', { delegate: { ipam: {} } }, {}],
    [7, 'invalid network configuration', 'ADD', { delegate: { IPAM: {} } }, {}],
    [7, 'invalid network configuration', 'ADD', { delegate: { type: '../bridge' } }, {}],
    [7, 'invalid network configuration', 'ADD', { delegate: { type: 'flannel' } }, {}],
    [7, 'invalid network configuration', 'ADD', { delegate: { type: null } }, {}],
    [7, 'invalid network configuration', 'ADD', { delegate: [] }, {}],
    [7, 'invalid network configuration', 'ADD', { ipam: { routes: '10.0.0.0/8' } }, {}],
    [7, 'invalid network configuration', 'ADD', { subnetFile: '' }, {}],
    [7, 'invalid network configuration', 'ADD', { dataDir: 'a\0b' }, {}],
    [5, 'there is no plugin absent on CNI_PATH', 'ADD', { delegate: { type: 'absent' } }, {}],
  ] as const)('code %i, %s: %s with %j and %j', async (code, message, command, conf, environment) => {
    const world = await PluginWorld.create()
    const answer = await world.run(command, conf, environment)
    expect(answer.exitCode).toBe(1)
    expect(errorOf(answer)).toMatchObject({ code, msg: `flannel: ${message}` })
    expect([await world.calls(), await world.saved()]).toEqual([[], []])
  })

  it('code 11 while there is no subnet file', async () => {
    const world = await PluginWorld.create()
    await world.removeSubnetFile()
    expect(errorOf(await world.run('ADD'))).toMatchObject({
      code: 11,
      msg: `flannel: there is no ${world.subnetFile} yet`,
    })
    expect(await world.saved()).toEqual([])
  })

  it.each([
    [
      '',
      'it lacks FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET, FLANNEL_NETWORK or FLANNEL_IPV6_NETWORK, FLANNEL_MTU, FLANNEL_IPMASQ',
    ],
    [SUBNET_ENV.replace('10.15.64.1/20', '10.15.64.1'), 'FLANNEL_SUBNET: expected an IPv4 network, found "10.15.64.1"'],
    [
      SUBNET_ENV.replace('10.15.64.1/20', '10.15.64.1/20,10.15.80.1/20'),
      'FLANNEL_SUBNET: expected an IPv4 network, found "10.15.64.1/20,10.15.80.1/20"',
    ],
    [SUBNET_ENV.replace('10.0.0.0/8', 'fd00::/8'), 'FLANNEL_NETWORK: expected an IPv4 network, found "fd00::/8"'],
    [SUBNET_ENV.replace('1450', 'big'), 'FLANNEL_MTU: expected a number of octets from 68 to 65535, found big'],
    [SUBNET_ENV.replace('1450', '0'), 'FLANNEL_MTU: expected a number of octets from 68 to 65535, found 0'],
  ])('code 6 for the subnet file %j', async (text, details) => {
    const world = await PluginWorld.create()
    await writeFile(world.subnetFile, text)
    expect(errorOf(await world.run('ADD'))).toMatchObject({ code: 6, details })
  })

  it.each(['delegate', 'ipam', 'runtimeConfig', 'prevResult', 'cni.dev/valid-attachments'])(
    'code 7 for a field that is nested too deeply to be handed on: %s',
    async (field) => {
      const world = await PluginWorld.create()
      const deep = `${'['.repeat(9_000)}${']'.repeat(9_000)}`
      const answer = await world.run('ADD', `{"cniVersion":"1.0.0","name":"net","${field}":{"x":${deep}}}`)
      expect(errorOf(answer)).toMatchObject({
        code: 7,
        details: `${field}: expected JSON of at most 500 levels, found a value nested too deeply to show`,
      })
      expect(await world.calls()).toEqual([])
    },
  )

  it('code 5 for a delegate that cannot be run', async () => {
    const world = await PluginWorld.create()
    await chmod(join(world.folder, 'bin/bridge'), 0o644)
    expect(errorOf(await world.run('ADD'))).toMatchObject({ code: 5 })
  })

  it('code 5 where no descriptor is left to run the delegate with', async () => {
    const world = await PluginWorld.create()
    const delegate = fileURLToPath(new URL('../../../src/cni/delegate.ts', import.meta.url))
    const script = `
      import { execFileSync } from 'node:child_process'
      import { runDelegate } from ${JSON.stringify(delegate)}
      const call = { environment: {}, path: [${JSON.stringify(join(world.folder, 'bin'))}], stopSignal: new AbortController().signal }
      execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=3']) // whoever gives one back, none is below it
      await runDelegate({ type: 'bridge' }, call).catch((error) => console.error(error.name, error.code, error.details))`
    const tsx = import.meta.resolve('tsx')
    const args = ['--import', tsx, '--input-type=module', '-e', script]
    expect(spawnSync(process.execPath, args, { encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/^CniError 5 .*EMFILE/) as unknown,
    })
  })

  it('code 5 for a data folder that is none', async () => {
    const world = await PluginWorld.create()
    expect(errorOf(await world.run('ADD', { dataDir: world.subnetFile }))).toMatchObject({ code: 5 })
  })
})
