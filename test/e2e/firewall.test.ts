import { expect, test } from 'vitest'
import { SUBNET_FILE, waitFor } from '../lab/index.ts'
import { AGENT_SCRIPT } from '../lab/lab.ts'
import { CONFIG, useLab } from './use-lab.ts'

const lab = useLab(
  {
    hosts: 2,
    agentCommand: [process.execPath, AGENT_SCRIPT, '--ip-masq', '--ip-blackhole-route', '--iptables-resync=1'],
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
  await waitFor('the agent to say so', async () => (await lab().host(0).agent.log()).includes('changed from outside'))
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
