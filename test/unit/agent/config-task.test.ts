import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigTask } from '../../../src/agent/config-task.ts'
import { Conditions } from '../../../src/agent/runtime/conditions.ts'
import { runTogether } from '../../../src/agent/runtime/task.ts'
import { parseNetworkConfig } from '../../../src/config/network.ts'
import { systemClock } from '../../../src/host/system-clock.ts'
import { NetConfigFile } from '../../../src/kube/net-config/net-config-file.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { AgentWorld, CONFIG } from '../../fake/agent-world.ts'
import { recordingLog } from '../../fake/recording-log.ts'
import { runtime } from '../../fake/runtime.ts'
import { waitFor } from '../../lab/wait-for.ts'

let world: AgentWorld

beforeEach(async () => {
  world = await AgentWorld.create()
  world.etcd.putConfig(CONFIG)
  await world.start()
  await world.until('forwarding', async () => (await world.readSubnetFile()) !== undefined)
})

afterEach(async () => {
  await world.close()
})

const withBackend = (fields: string): string => CONFIG.replace('"VNI":100', `"VNI":100,${fields}`)
const mtu = (): number | undefined =>
  [...world.kernel.tables.links.values()].find(({ name }) => name === 'flannel.100')?.mtu

async function change(config: string | undefined): Promise<void> {
  if (config === undefined) world.etcd.deleteConfig()
  else world.etcd.putConfig(config)
  await world.advance(1_000)
}

/** Warnings since the start that speak of the configuration. */
const complaints = (): readonly string[] => world.logged(/^warn .*configuration/)

describe('a configuration that changes while the agent runs', () => {
  test('moves the MTU of the device and of the subnet file, and writes nothing to etcd', async () => {
    const { writes } = world.store
    expect(mtu()).toBe(1450)
    await change(withBackend('"MTU":1400'))
    expect(mtu()).toBe(1350)
    await world.until('the file', async () => /FLANNEL_MTU=1350/.test((await world.readSubnetFile()) ?? ''))
    expect(world.logged(/Backend\.MTU changed .* from=unset to=1400/)).toHaveLength(1)
    await change(CONFIG)
    expect(mtu()).toBe(1450)
    expect(world.store.writes).toEqual(writes)
  })

  test('is refused where it cannot be followed, once, also when the store is another one meanwhile', async () => {
    const { writes } = world.kernel.stats()
    const other = CONFIG.replace('"VNI":100', '"VNI":101')
    await change(other)
    await change(other)
    world.store.disconnect()
    world.store.reconnect()
    await world.advance(1_000)
    expect(complaints()).toHaveLength(1)
    expect(world.fails('network configuration', /^Backend\.VNI changed/)).toBe(true)
    expect(world.status.state.ready).toBe(true)
    expect(complaints()[0]).toMatch(/Backend\.VNI changed .* applied at the next start inForce=100 then=101/)
    expect(world.kernel.stats().writes).toBe(writes)
    await change(CONFIG)
    expect(world.logged(/the one in force again/)).toHaveLength(1)
    expect(world.holds('network configuration')).toBe(true)
  })

  test.each([
    ['{"Network":', /has become invalid, the one in force stays: .*JSON/],
    [CONFIG.replace('"SubnetLen":20', '"SubnetLen":31'), /invalid.*SubnetLen: expected/],
    [undefined, /network configuration \(.+\) was deleted; the one in force stays/],
  ])('says once that %s changes nothing', async (config, said) => {
    const { writes } = world.kernel.stats()
    await change(config)
    await change(config)
    expect(complaints()).toHaveLength(1)
    expect(complaints()[0]).toMatch(said)
    expect(world.kernel.stats().writes).toBe(writes)
  })

  test('is followed but not said each time when it is written without end', async () => {
    for (let pass = 0; pass < 200; pass++)
      await change(pass % 2 === 0 ? withBackend(`"MTU":${1_300 + pass}`) : `{"Network":"${pass}`)
    await change(withBackend('"MTU":1300'))
    expect(mtu()).toBe(1250)
    const lines = world.logged(/configuration/)
    expect(lines.length).toBeLessThan(100)
    expect(world.logged(/changes again and again/).length).toBeGreaterThan(0)
    expect(world.logged(/changes again and again/).length).toBeLessThanOrEqual(4)
  })

  test('keeps a lease outside the new bounds', async () => {
    const [before] = world.etcd.records
    await change(CONFIG.replace('"Backend"', '"SubnetMin":"10.200.0.0","SubnetMax":"10.201.0.0","Backend"'))
    expect(world.logged(/SubnetM.. changed/)).toHaveLength(2)
    expect(complaints()).toEqual([])
    expect(world.etcd.records).toEqual([before])
  })
})

test.each([
  ['10.9.0.0/16', true],
  ['10.244.0.0/15', false],
])('a Network of %s is said to leave our podCIDR outside: %s', async (network, isOutside) => {
  const [log, stop] = [recordingLog(), new AbortController()]
  const conditions = new Conditions({ clock: systemClock, log })
  const configuration = Object.assign(new NetConfigFile('/nowhere', systemClock), {
    watch: async function* () {
      yield await Promise.resolve(`{"Network":"${network}"}`)
    },
  })
  const parseConfig = (text: string): ReturnType<typeof parseNetworkConfig> => parseNetworkConfig(text, 'test')
  const task = new ConfigTask({
    ports: { subnets: { configuration }, clock: systemClock, log, conditions },
    config: parseConfig('{"Network":"10.244.0.0/16"}'),
    givenSubnets: [prefix('10.244.1.0/24')],
    parseConfig,
    apply: () => undefined,
  })
  const running = runTogether([task], runtime(systemClock, stop.signal))
  await waitFor('the condition', () => conditions.all().length === 1)
  stop.abort()
  await running
  const said = /our podCIDR 10\.244\.1\.0\/24 lies outside of the Network .* would not become ready/
  expect(conditions.all().map(({ reason }) => said.test(reason))).toEqual([isOutside])
  expect(log.lines.some((line) => said.test(line))).toBe(isOutside)
})
