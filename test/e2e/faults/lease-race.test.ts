import { describe, expect, test } from 'vitest'
import { failing, waitFor, type Lab, type LabHost } from '../../lab/index.ts'
import { AGENT } from '../../lab/program.ts'
import { CONFIG, useLab } from '../../lab/use-lab.ts'
import { leaseNameOf } from './lease-scene.ts'

const HOSTS = 50
const SUBNETS = 45

/** A network of 45 subnets. */
const SCARCE = { ...CONFIG, SubnetMin: '10.10.0.0', SubnetMax: '10.12.192.0' }

/** How a node that was started at once with the others ended up. */
type Ending = 'leased' | 'out of subnets'

async function endingOf(host: LabHost): Promise<Ending | undefined> {
  if (await host.subnetFile()) return 'leased'
  const lease = await failing(host, 'lease')
  return lease?.reason.startsWith('out of subnets') === true ? 'out of subnets' : undefined
}

const subnetsOf = async (lab: Lab): Promise<readonly string[]> =>
  Promise.all(lab.hosts.map(async (host) => (await host.subnetFile())?.subnet.text ?? ''))

/** Fifty agents start on two processors that others want as well, and that have a quarter of a minute of work with them. */
const LEASED_WITHIN_MS = 180_000

/**
 * All hosts of a laboratory share the kernel's one neighbour table, which has room for 1 024 (gc_thresh3): fifty that ask each other need
 * 2 450, and no host of any laboratory beside resolves another's address meanwhile.
 */
const UNASKED = ['--peer-probes=false']

describe('fifty nodes and forty-five subnets', () => {
  // their start would take the processors from whatever is tested beside for many seconds
  const agentCommand = ['nice', '-n', '10', ...AGENT] as const
  const lab = useLab({ hosts: HOSTS, agentCommand }, (it) => it.putConfig(SCARCE))

  test(
    'lease: fifty nodes started at once: no subnet handed out twice, all leased or told out of subnets',
    { timeout: 2 * LEASED_WITHIN_MS },
    async () => {
      for (const { agent } of lab().hosts) agent.start(UNASKED)
      const endings: Ending[] = []
      for (const host of lab().hosts)
        endings.push(
          await waitFor(`${host.name} to be leased or refused`, () => endingOf(host), { deadlineMs: LEASED_WITHIN_MS }),
        )
      expect(endings.filter((ending) => ending === 'leased')).toHaveLength(SUBNETS)
      const taken = (await subnetsOf(lab())).filter((subnet) => subnet !== '')
      expect(new Set(taken).size).toBe(SUBNETS)
      expect((await lab().leases()).map(({ name }) => name.replace('-', '/')).sort()).toEqual([...taken].sort())
    },
  )

  test(
    'lease: two nodes racing for the last free subnet: one gets it, the other is told out of subnets',
    { timeout: 2 * LEASED_WITHIN_MS },
    async () => {
      const { hosts } = lab()
      const subnets = await subnetsOf(lab())
      const leased = hosts.find((_, at) => subnets[at] !== '')
      const waiting = hosts.filter((_, at) => subnets[at] === '')
      if (!leased) throw new Error('nobody has a lease')
      for (const { agent } of waiting.slice(2)) await agent.stop()
      const racers = waiting.slice(0, 2)
      for (const { agent } of racers) await agent.stop()
      const name = await leaseNameOf(lab(), leased)
      await leased.agent.kill()
      await lab().deleteLease(name)
      for (const { agent } of racers) agent.start(UNASKED)
      const endings = await Promise.all(
        racers.map((host) =>
          waitFor(`${host.name} to end its race`, () => endingOf(host), { deadlineMs: LEASED_WITHIN_MS }),
        ),
      )
      expect(endings.sort()).toEqual(['leased', 'out of subnets'])
      expect(await lab().leases()).toHaveLength(SUBNETS)
    },
  )
})
