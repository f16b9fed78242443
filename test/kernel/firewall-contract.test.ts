import { firewallContract } from '../contract/firewall-contract.ts'
import { realFirewall } from './real-firewall.ts'

firewallContract('the firewall of a host whose iptables is on nftables', () => realFirewall('nft'))
firewallContract('the firewall of a host whose iptables is legacy', () => realFirewall('legacy'), ['iptables'])
