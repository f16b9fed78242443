import fc from 'fast-check'
import { writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { isObject } from '../../src/cni/netconf.ts'
import { parseObject, PluginWorld, SUBNET_ENV } from '../unit/cni/scripted-plugin.ts'

const rarely = <T>(usual: fc.Arbitrary<T>, ...others: fc.Arbitrary<T>[]) =>
  fc.oneof({ weight: 8, arbitrary: usual }, ...others.map((arbitrary) => ({ weight: 1, arbitrary })))

const anything: fc.Arbitrary<unknown> = fc.jsonValue({ maxDepth: 3 })
const text = fc.string({ unit: 'binary', maxLength: 40 })

const environment = fc.record({
  CNI_CONTAINERID: rarely(fc.constantFrom('c1', 'c2'), text),
  CNI_NETNS: rarely(fc.constant('/run/netns/c1'), text),
  CNI_IFNAME: rarely(fc.constantFrom('eth0', 'net1'), text),
  CNI_ARGS: text,
})
const command = rarely(fc.constantFrom('ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION'), text)

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
    prevResult: anything,
    'cni.dev/valid-attachments': rarely<unknown>(fc.constant([{ containerID: 'c1', ifname: 'eth0' }]), anything),
    anyOther: anything,
  },
  { requiredKeys: ['cniVersion', 'name'] },
)
const stdin = fc.oneof(
  { weight: 6, arbitrary: conf.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: text },
  { weight: 1, arbitrary: fc.json() },
  {
    weight: 1,
    arbitrary: fc.constant(`{"cniVersion":"1.0.0","name":"net","delegate":${'{"a":'.repeat(9000)}1${'}'.repeat(9001)}`),
  },
)
const subnetEnv = rarely(
  fc.constant(SUBNET_ENV),
  text,
  text.map((junk) => `${SUBNET_ENV}FLANNEL_SUBNET=${junk}\n`),
)

/** What delegates do: in order, do nothing, answer, refuse, talk nonsense. */
const plugin = fc.constantFrom('exit 0', 'echo "{}"', `echo '{"code":7,"msg":"no"}'; exit 1`, 'echo "{"; exit 2')

describe('whatever the environment, standard input, the subnet file and the delegate are', () => {
  it('the answer is success or a CNI error', async () => {
    const world = await PluginWorld.create()
    await fc.assert(
      fc.asyncProperty(command, environment, stdin, subnetEnv, plugin, async (name, variables, input, file, body) => {
        await Promise.all([writeFile(world.subnetFile, file), world.install('bridge', body)])
        const { stdout, exitCode } = await world.run(name, input, variables)
        if (exitCode !== 0) {
          const { code, msg } = parseObject(stdout)
          expect([Number.isInteger(code), typeof msg]).toEqual([true, 'string'])
        } else if (stdout !== '') expect(isObject(parseObject(stdout))).toBe(true)
      }),
      { numRuns: 100 },
    )
  })
})
