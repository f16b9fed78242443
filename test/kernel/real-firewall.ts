import { runTool, type RunTool } from '../../src/firewall/command.ts'
import { LinuxFirewall } from '../../src/firewall/linux-firewall.ts'
import type { FirewallHarness } from '../contract/firewall-contract.ts'
import { Namespace } from '../lab/namespace.ts'

/** Programs of a host of its own. What is not installed is looked for in vain, as the real one would be. */
class RealTools {
  readonly host: Namespace
  isInstalled = true

  constructor(host: Namespace) {
    this.host = host
  }

  readonly run: RunTool = (tool, args, input, signal) => {
    if (!this.isInstalled) return runTool(`${tool}-that-nobody-has`, args, input, signal)
    // Through a pipe: nft opens its standard input by name.
    return runTool('sh', ['-c', 'cat | "$0" "$@"', ...this.host.line(tool, args)], input, signal)
  }
}

const newTools = async (): Promise<RealTools> => new RealTools(await Namespace.create('ip link set lo up'))

/** @param variant names the iptables that the host uses */
export async function realFirewall(variant: 'nft' | 'legacy'): Promise<FirewallHarness> {
  const tools = await newTools()
  const name = (tool: string): string => tool.replace(/tables-(?!nft-|legacy-)/, `tables-${variant}-`)
  const run: RunTool = (tool, ...rest) => tools.run(name(tool), ...rest)
  return {
    firewall: new LinuxFirewall(run),
    spoil: async (kind) => {
      if (kind === 'nftables') await tools.host.exec('nft', ['delete', 'table', 'ip', 'flannel-ipv4'])
      else await tools.host.exec(`iptables-${variant}`, ['-F', 'FLANNEL-FWD'])
    },
    setInstalled: (isInstalled) => {
      tools.isInstalled = isInstalled
    },
    dispose: () => tools.host.close(),
  }
}
