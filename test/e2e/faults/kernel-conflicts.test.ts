import { describe, expect, test } from 'vitest'
import { leaseOf } from '../../lab/expected-tables.ts'
import { fails, holds, waitFor, type LabHost } from '../../lab/index.ts'
import { bringUp, DEVICE, useLab } from '../../lab/use-lab.ts'
import { fakePeer, holdPeers, leaseName, putPeer, putPeers } from '../../lab/fake-peers.ts'
import { CONFLICT_MOMENTS, conflictTitle, OBSTACLES } from './kernel-conflicts.ts'
import { anyIndex, overlayState, type OverlayState } from './state.ts'

/** It is retried every second. */
const UP_WITHIN_MS = 3_000

const MEANWHILE = {
  'while the agent is down': {
    enter: async ({ agent }: LabHost): Promise<void> => {
      await agent.kill()
    },
    leave: ({ agent }: LabHost): void => {
      agent.start()
    },
  },
  'while the agent is frozen': {
    enter: ({ agent }: LabHost): Promise<void> => {
      agent.freeze()
      return Promise.resolve()
    },
    leave: ({ agent }: LabHost): void => {
      agent.thaw()
    },
  },
} as const

describe('what stands in the way of the device', () => {
  const lab = useLab({ hosts: 2 }, bringUp)

  const expectWhole = (host: LabHost, whole: OverlayState, deadlineMs: number): Promise<boolean> => {
    const look = async (): Promise<boolean> => {
      expect(anyIndex(await overlayState(host))).toEqual(anyIndex(whole))
      return true
    }
    return waitFor('the overlay to be up', look, { deadlineMs })
  }

  const namesIt = ({ agent }: LabHost, known: number, said: RegExp): Promise<boolean> =>
    waitFor(
      `the log to say ${said}`,
      async () => {
        const log = (await agent.log()).slice(known)
        if (!said.test(log)) throw new Error(`it says ${log}`)
        return true
      },
      { deadlineMs: 5_000 },
    )

  let whole: OverlayState | undefined

  for (const moment of CONFLICT_MOMENTS)
    for (const row of OBSTACLES)
      test(conflictTitle(row, moment), async () => {
        const host = lab().host(0)
        whole ??= await overlayState(host)
        await expectWhole(host, whole, 10_000)
        const known = (await host.agent.log()).length
        await MEANWHILE[moment].enter(host)
        await host.place.exec('sh', ['-ec', `ip link delete ${DEVICE}; ${row.add}`]).finally(() => {
          MEANWHILE[moment].leave(host)
        })
        await namesIt(host, known, row.said).finally(() => host.place.exec('sh', ['-ec', row.remove]))
        await expectWhole(host, whole, UP_WITHIN_MS)
      })
})

/** Peers besides the refused one. */
const OTHERS = 500
const REFUSED = fakePeer(1_000)
/** It is retried after 1, 2, 4 … seconds, each longer by a fifth at most. */
const RETRIED_WITHIN_MS = 10_000

describe('a peer that the kernel refuses', () => {
  const lab = useLab({ hosts: 2 }, bringUp)

  test('kernel: a peer that the kernel refuses: named in its own words, 500 others programmed, taken once it can be', async () => {
    const host = lab().host(0)
    const { agent, place } = host
    // No gateway is reached through a tunnel that is this host itself.
    await place.exec('ip', ['address', 'add', `${REFUSED.base}/32`, 'dev', 'lo', 'scope', 'host'])
    await putPeer(lab(), REFUSED)
    const refusals = async (): Promise<readonly string[]> =>
      (await agent.logOfRun()).split('\n').filter((line) => line.includes('the kernel refuses'))
    await fails(host, 'peers of IPv4', new RegExp(leaseName(REFUSED)))
    await putPeers(lab(), 0, OTHERS)
    const isHeld = async (): Promise<boolean> => (await host.peerTables(DEVICE)).routes.length === OTHERS + 1
    await waitFor('the others', isHeld, { deadlineMs: 2_000 })
    await waitFor('a second try', async () => (await refusals()).length > 1)
    const lines = await refusals()
    expect(lines.length, 'with pauses between').toBeLessThan(4)
    for (const line of lines) {
      expect(line).toContain(`route ${REFUSED.subnet}`)
      expect(line).toContain('Nexthop has invalid gateway')
    }
    await place.exec('ip', ['address', 'delete', `${REFUSED.base}/32`, 'dev', 'lo'])
    await holdPeers(lab(), OTHERS + 2, RETRIED_WITHIN_MS)
  })
  test('kernel: routes and rules of others that win over ours: named while they do, those for containers too, and left alone', async () => {
    const [host, other] = [lab().host(0), lab().host(1)]
    const [own, { subnet }] = [await leaseOf(lab(), host), await leaseOf(lab(), other)]
    const run = (...commands: readonly string[]): Promise<string> => host.place.exec('sh', ['-ec', commands.join('; ')])
    const bridge = own.subnet.replace('.0/', '.1/')
    await run('ip link add cni0 type bridge', `ip address add ${bridge} dev cni0`, 'ip link set cni0 up')
    const part = subnet.replace(/\/\d+$/, '/25')
    await run(`ip route add unreachable ${part}`)
    await fails(
      host,
      'routes to peers of IPv4',
      new RegExp(`in ${subnet} follow a route or rule that says unreachable`),
    )
    await run(
      `ip route del unreachable ${part}`,
      `ip rule add from ${own.subnet} lookup 77`,
      'ip route add default dev lo table 77',
    )
    const rule = new RegExp(
      `of containers for .* in ${subnet}.* table 77 \\(rule \\d+: from ${own.subnet} lookup 77\\)`,
    )
    await fails(host, 'routes to peers of IPv4', rule)
    expect(await run('ip rule', 'ip route show table 77')).toMatch(/lookup 77[^]*default dev lo/)
    await run(`ip rule del from ${own.subnet} lookup 77`)
    await holds(host, 'routes to peers of IPv4')
  })
})
