import fc from 'fast-check'
import { writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { isObject } from '../../src/config/json.ts'
import { withGateways } from '../../src/cni/prev-result.ts'
import { parseObject, PluginWorld, SUBNET_ENV } from '../fake/scripted-plugin.ts'
import { brokenJson, rarely, rawText, subnetFileText } from './arbitraries.ts'

const anything: fc.Arbitrary<unknown> = fc.jsonValue({ maxDepth: 3 })
const text = fc.string({ unit: 'binary', maxLength: 40 })

const environment = fc.record({
  CNI_CONTAINERID: rarely(fc.constantFrom('c1', 'c2'), text),
  CNI_NETNS: rarely(fc.constant('/run/netns/c1'), text),
  CNI_IFNAME: rarely(fc.constantFrom('eth0', 'net1'), text),
  CNI_ARGS: text,
})
const command = rarely(fc.constantFrom('ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION'), text)

const address = fc.oneof(fc.ipV4(), fc.ipV6(), text)
const cidr = fc.tuple(address, fc.nat(130)).map((parts) => parts.join('/'))

/** What ADD has returned, as runtimes hand it back: of all versions, whole and in pieces. */
const prevResult = fc.record(
  {
    cniVersion: rarely<unknown>(fc.constantFrom('0.2.0', '0.4.0', '1.0.0'), anything),
    interfaces: rarely<unknown>(
      fc.array(fc.record({ name: text, mac: text, sandbox: text }), { maxLength: 2 }),
      anything,
    ),
    ips: rarely<unknown>(
      fc.array(
        rarely<unknown>(
          fc.record({ address: cidr, gateway: rarely<unknown>(address, anything) }, { requiredKeys: [] }),
          anything,
        ),
        { maxLength: 3 },
      ),
      anything,
    ),
    routes: rarely<unknown>(
      fc.array(
        rarely<unknown>(
          fc.record(
            { dst: rarely<unknown>(cidr, anything), gw: rarely<unknown>(address, anything) },
            { requiredKeys: [] },
          ),
          anything,
        ),
        { maxLength: 3 },
      ),
      anything,
    ),
    dns: anything,
    ip4: anything,
  },
  { requiredKeys: [] },
)

// No made-up paths: they would be written to.
const conf = fc.record(
  {
    cniVersion: rarely<unknown>(fc.constantFrom('0.1.0', '0.4.0', '1.0.0', '1.1.0'), anything),
    name: rarely<unknown>(fc.constant('net'), anything),
    subnetFile: fc.constantFrom<unknown>(null, 5, '', '\0', '/nonexistent/subnet.env'),
    dataDir: fc.constantFrom<unknown>(null, {}, '', '\0', '/proc/nonexistent'),
    delegate: rarely<unknown>(
      fc.record({ type: rarely<unknown>(fc.constant('bridge'), anything), mtu: anything }, { requiredKeys: [] }),
      anything,
    ),
    ipam: rarely<unknown>(fc.record({ routes: fc.constantFrom<unknown>([], [{ dst: '1.2.3.0/24' }], 5) }), anything),
    runtimeConfig: anything,
    prevResult: rarely<unknown>(prevResult, anything),
    'cni.dev/valid-attachments': rarely<unknown>(fc.constant([{ containerID: 'c1', ifname: 'eth0' }]), anything),
    anyOther: anything,
  },
  { requiredKeys: ['cniVersion', 'name'] },
)
const stdin = fc.oneof(
  { weight: 6, arbitrary: conf.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.oneof(text, rawText) },
  { weight: 1, arbitrary: fc.json() },
  {
    weight: 1,
    arbitrary: fc.constant(`{"cniVersion":"1.0.0","name":"net","delegate":${'{"a":'.repeat(9000)}1${'}'.repeat(9001)}`),
  },
)
const subnetEnv = rarely(
  fc.constant(SUBNET_ENV),
  subnetFileText,
  text.map((junk) => `${SUBNET_ENV}FLANNEL_SUBNET=${junk}\n`),
)

/** What may stand where ADD has saved a delegate's configuration: that, half of it, or somebody else's file. */
const saved = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record(
        {
          name: rarely<unknown>(fc.constant('net'), anything),
          type: rarely<unknown>(fc.constant('bridge'), text, anything),
          ipam: anything,
          cniVersion: anything,
          prevResult: anything,
        },
        { requiredKeys: ['name'] },
      )
      .map((value) => JSON.stringify(value)),
  },
  {
    weight: 1,
    arbitrary: brokenJson(
      fc.constant('{"cniVersion":"1.0.0","name":"net","type":"bridge","ipam":{"type":"host-local"}}'),
    ),
  },
  { weight: 1, arbitrary: rawText },
)

/** What delegates do: in order, do nothing, answer, refuse, talk nonsense. */
const plugin = fc.constantFrom('exit 0', 'echo "{}"', `echo '{"code":7,"msg":"no"}'; exit 1`, 'echo "{"; exit 2')

function expectCniError(stdout: string): void {
  const { code, msg } = parseObject(stdout)
  expect([Number.isInteger(code), typeof msg]).toEqual([true, 'string'])
}

describe('whatever the environment, standard input, the subnet file and the delegate are', () => {
  it('the answer is success or a CNI error', async () => {
    const world = await PluginWorld.create()
    await fc.assert(
      fc.asyncProperty(command, environment, stdin, subnetEnv, plugin, async (name, variables, input, file, body) => {
        await Promise.all([writeFile(world.subnetFile, file), world.install('bridge', body)])
        const { stdout, exitCode } = await world.run(name, input, variables)
        if (exitCode !== 0) expectCniError(stdout)
        else if (stdout !== '') expect(isObject(parseObject(stdout))).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('so it is when containers are checked and deleted by what was saved, whatever has become of that', async () => {
    const world = await PluginWorld.create()
    const later = fc.constantFrom('DEL', 'CHECK', 'GC')
    const withResult = fc.record({
      cniVersion: fc.constantFrom('0.4.0', '1.0.0', '1.1.0'),
      name: fc.constant('net'),
      prevResult,
    })
    await fc.assert(
      fc.asyncProperty(later, withResult, saved, subnetEnv, plugin, async (name, input, content, file, body) => {
        await Promise.all([writeFile(world.subnetFile, file), world.install('bridge', body), world.save('c1', content)])
        const { stdout, exitCode } = await world.run(name, input)
        if (exitCode === 0) expect(stdout).toBe('')
        else expectCniError(stdout)
      }),
      { numRuns: 150 },
    )
  })
})

it('a result that is handed to CHECK keeps all it says, and gains gateways alone', () => {
  fc.assert(
    fc.property(prevResult, (result) => {
      const completed = withGateways(result)
      expect({ ...completed, routes: 0 }).toEqual({ ...result, routes: 0 })
      if (!Array.isArray(result.routes) || !Array.isArray(completed['routes'])) return
      expect(completed['routes'].length).toBe(result.routes.length)
    }),
    { numRuns: 2_000 },
  )
})
