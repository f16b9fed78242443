import { LinuxFirewall } from '../../../src/firewall/linux-firewall.ts'
import { FirewallError } from '../../../src/kernel/firewall.ts'
import { firewallContract, type FirewallHarness } from '../../contract/firewall-contract.ts'
import { FakeFirewall } from '../../fake/fake-firewall.ts'
import { FakeFirewallTools } from '../../fake/fake-firewall-tools.ts'

const dispose = (): Promise<void> => Promise.resolve()
const ALL_TOOLS = ['nft', 'iptables-save', 'iptables-restore', 'ip6tables-save', 'ip6tables-restore']

function inMemory(): FirewallHarness {
  const firewall = new FakeFirewall()
  const missing = new FirewallError('nft', 'MISSING', 'nft is not installed: install nftables')
  return {
    firewall,
    spoil: () => {
      firewall.standing = undefined
      return Promise.resolve()
    },
    setInstalled: (isInstalled) => {
      firewall.problems = isInstalled ? [] : [missing]
    },
    dispose,
  }
}

function onFakeTools(): FirewallHarness {
  const tools = new FakeFirewallTools()
  return {
    firewall: new LinuxFirewall(tools.run),
    spoil: (kind) => {
      if (kind === 'nftables') tools.nft.delete('ip flannel-ipv4')
      else tools.iptables.write('filter', '-F FLANNEL-FWD')
      return Promise.resolve()
    },
    setInstalled: (isInstalled) => {
      if (isInstalled) tools.broken.clear()
      else tools.uninstall(...ALL_TOOLS)
    },
    dispose,
  }
}

firewallContract('the firewall in memory', () => Promise.resolve(inMemory()))
firewallContract('the firewall on programs in memory', () => Promise.resolve(onFakeTools()))
