import { describe, expect, test } from 'vitest'
import { says } from '../lab/log.ts'
import { SUBNET_FILE, waitFor } from '../lab/index.ts'
import { AGENT } from '../lab/program.ts'
import { CONFIG, useLab } from '../lab/use-lab.ts'

const lab = useLab(
  {
    hosts: 2,
    agentCommand: [...AGENT, '--ip-masq', '--ip-blackhole-route', '--iptables-resync=1'],
  },
  async (made) => {
    await made.putConfig({ ...CONFIG, EnableNFTables: true })
    await made.startAgents()
  },
)

const tableOf = (at: number): Promise<string> =>
  lab()
    .host(at)
    .place.attempt('nft', ['list', 'table', 'ip', 'flannel-ipv4'])
    .then(({ stdout }) => stdout)

test('an agent with --ip-masq writes its rules, says so in the subnet file, and restores them', async () => {
  const { place } = lab().host(0)
  await waitFor('the rules', async () => (await tableOf(0)).includes('masquerade fully-random'))
  expect(await place.exec('cat', [SUBNET_FILE])).toContain('FLANNEL_IPMASQ=true\n')
  await place.exec('nft', ['delete', 'table', 'ip', 'flannel-ipv4'])
  await waitFor('the rules again', async () => (await tableOf(0)).includes('masquerade fully-random'))
  await says(lab().host(0), /changed from outside/)
})

test('addresses of our subnet without a container lead nowhere, and the bridge still leads to those with one', async () => {
  const host = lab().host(0)
  const { subnet } = await host.ready()
  const own = `${subnet.base.text}/${subnet.length}`
  const routes = (): Promise<string> => host.place.exec('ip', ['route', 'show', 'type', 'blackhole'])
  await waitFor('the route', async () => (await routes()).includes(`blackhole ${own} proto 70`))
  const containers = await Promise.all(lab().hosts.map((each) => each.addContainer()))
  const [here, there] = containers
  expect(await there?.ping(here?.address ?? '')).toEqual({ sent: 3, received: 3 })
  expect(await routes()).toContain(own)
})

/** Stands in the place of nft on one machine, and takes as many seconds over every call as a file says, if there is one. */
const SLOW_NFT = `set -e
real=$(readlink -f "$(command -v nft)")
cp "$real" /run/nft
printf '#!/bin/sh\\n[ ! -e /run/seconds ] || sleep "$(cat /run/seconds)"\\nexec /run/nft "$@"\\n' > /run/slow-nft
chmod +x /run/slow-nft
mount --bind /run/slow-nft "$real"`

/** For a start on a machine that has much else to do. */
const PATIENCE_MS = 60_000

describe('an agent whose firewall is slow', () => {
  const startAnew = async (seconds: number): Promise<void> => {
    const { agent, place } = lab().host(1)
    if (agent.isRunning) await agent.kill()
    await place.exec('sh', [
      '-c',
      `rm -f ${SUBNET_FILE}; /run/nft delete table ip flannel-ipv4; echo ${seconds} > /run/seconds`,
    ])
    agent.start()
  }

  test('lets containers start when its rules stand, and not before', async () => {
    await lab().host(1).place.exec('sh', ['-c', SLOW_NFT])
    await startAnew(0.2)
    await lab().host(1).ready(PATIENCE_MS)
    expect(await lab().host(1).place.exec('/run/nft', ['list', 'table', 'ip', 'flannel-ipv4'])).toContain('masquerade')
    const log = await lab().host(1).agent.logOfRun()
    const at = ['forwarding is set up', 'firewall rules written', 'subnet file written'].map((text) =>
      log.indexOf(text),
    )
    expect(at).toEqual(at.toSorted((a, b) => a - b))
    expect(log).not.toContain('the firewall does not answer')
  })

  test('lets them start after five seconds where the firewall does not answer, says so, and has its rules in the end', async () => {
    await startAnew(60)
    const { agent, place } = lab().host(1)
    const rules = () => place.attempt('/run/nft', ['list', 'table', 'ip', 'flannel-ipv4'])
    await lab().host(1).ready(PATIENCE_MS)
    expect(await agent.logOfRun()).toContain('the firewall does not answer; containers may be started before its rules')
    expect((await rules()).code).not.toBe(0)
    await place.exec('rm', ['/run/seconds'])
    await waitFor('the rules', async () => (await rules()).stdout.includes('masquerade'), { deadlineMs: 40_000 })
  })
})
