import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunTool } from '../../../../src/firewall/command.ts'
import { isObject } from '../../../../src/config/json.ts'
import { FirewallError } from '../../../../src/kernel/firewall.ts'

/*
 * Rules as real products have written them, captured on Debian 12 (nft 1.0.6, iptables 1.8.9) with `nft -j list ruleset` and
 * `iptables-save`: firewalld 1.3.3 (with its default zone, with flannel.100 and cni0 in its trusted zone, with the overlay's network
 * as a source there), ufw 0.36.2 with port 22 allowed, Docker 20.10 started with `--bip 10.15.1.1/24` alone, Debian's nftables.conf for
 * a workstation with forward closed. kube-proxy 1.30, Canal with fail2ban, and Docker 28 were typed in as they are documented.
 */
export type Captured =
  | 'firewalld-default'
  | 'firewalld-trusted'
  | 'firewalld-source'
  | 'ufw'
  | 'docker-20'
  | 'docker-28'
  | 'kube-proxy'
  | 'canal'
  | 'nftables-conf'
  | 'nftables-conf-allowing'

export const textOf = (name: Captured, kind: 'nft' | 'save'): string => {
  const path = join(import.meta.dirname, 'captured', `${name}.${kind}`)
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

/** Programs that answer for a host with these rules of IPv4; `ran` is what was asked. */
export function toolsOf(
  name: Captured,
  absent: readonly string[] = [],
): { readonly run: RunTool; readonly ran: string[] } {
  const ran: string[] = []
  const run: RunTool = (tool, args) => {
    ran.push([tool, ...args].join(' '))
    if (absent.includes(tool)) return Promise.reject(new FirewallError(tool, 'MISSING', `no ${tool}`))
    return Promise.resolve(
      tool === 'nft' ? listed(textOf(name, 'nft'), args) : tool === 'iptables-save' ? textOf(name, 'save') : '',
    )
  }
  return { run, ran }
}

/** What nft would list of the ruleset: all chains, or one table. */
function listed(ruleset: string, args: readonly string[]): string {
  const all: unknown = JSON.parse(ruleset)
  const objects = isObject(all) && Array.isArray(all['nftables']) ? all['nftables'].filter(isObject) : []
  const [what, family, table, chain] = args.slice(args.indexOf('list') + 1)
  const isListed = (object: Readonly<Record<string, unknown>>): boolean => {
    if (what === 'chains') return 'chain' in object
    const [content] = Object.values(object)
    if (!isObject(content) || content['family'] !== family || content['table'] !== table) return false
    return what === 'table' || chain === (content['chain'] ?? content['name'])
  }
  return JSON.stringify({ nftables: objects.filter(isListed) })
}
