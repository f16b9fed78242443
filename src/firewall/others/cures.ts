import type { OverlayPath, TunnelEnd } from '../../kernel/foreign-rules.ts'
import type { Fate } from './evaluate.ts'
import type { Base } from './judge.ts'

/** Docker 28.2 has the first, 28.0.2 and later the second. */
export const DOCKER_RAW_CURE =
  '"allow-direct-routing": true in /etc/docker/daemon.json, or DOCKER_INSECURE_NO_IPTABLES_RAW=1 in Docker\'s environment'

const isFirewalld = ({ table }: Base): boolean => table.name === 'firewalld'
const isUfw = ({ table }: Base): boolean => [...table.chains.keys()].some((name) => name.startsWith('ufw-'))

/** What lets the overlay's packets pass. */
export function acceptCure(base: Base, { network }: OverlayPath): string {
  const { text } = network
  if (isFirewalld(base)) return `firewall-cmd --permanent --zone=trusted --add-source=${text} && firewall-cmd --reload`
  if (isUfw(base)) return `ufw route allow from ${text} && ufw route allow to ${text}`
  const { chain } = base
  if (isIptables(base)) {
    const insert = `${toolOf(base)}${isRaw(base) ? ` -t ${base.table.name}` : ''} -I ${chain.name}`
    const flag = chain.hook === 'forward' ? ', which is what --iptables-forward-rules does' : ''
    return `${insert} -s ${text} -j ACCEPT && ${insert} -d ${text} -j ACCEPT${flag}`
  }
  const address = network.family === 4 ? 'ip' : 'ip6'
  const insert = `${insertInto(base)} ${address}`
  return `${insert} saddr ${text} accept && ${insert} daddr ${text} accept`
}

/** What lets tunnels end here, or leave. */
export function tunnelCure(base: Base, { port }: TunnelEnd): string {
  const { hook } = base.chain
  const isLeaving = hook === 'output' || hook === 'postrouting' || hook === 'egress'
  if (isFirewalld(base) && !isLeaving) return `firewall-cmd --permanent --add-port=${port}/udp && firewall-cmd --reload`
  if (isUfw(base)) return `ufw allow${isLeaving ? ' out' : ''} ${port}/udp`
  if (isIptables(base)) {
    const table = isRaw(base) ? ` -t ${base.table.name}` : ''
    return `${toolOf(base)}${table} -I ${base.chain.name} -p udp --dport ${port} -j ACCEPT`
  }
  return `${insertInto(base)} udp dport ${port} accept`
}

/** What leaves packets between containers as they are. */
export function masqueradeCure({ rule }: Fate, base: Base, { network, device }: OverlayPath): string {
  if (isFirewalld(base))
    return `firewall-cmd --permanent --zone=trusted --add-interface=${device} && firewall-cmd --reload`
  if (/! -o (docker0|br-)/.test(rule?.text ?? ''))
    return 'start Docker with --ip-masq=false, which flanneld docker-opts writes where the agent masquerades (--ip-masq)'
  return `have that rule leave out packets to ${network.text}`
}

const isRaw = ({ table }: Base): boolean => table.name !== 'filter'

/** The tables that iptables has, whatever made them. */
const isIptables = ({ table, chain }: Base): boolean =>
  table.family.startsWith('ip') && chain.name === chain.name.toUpperCase() && chain.name === chain.hook?.toUpperCase()

const toolOf = ({ table }: Base): string => {
  const tool = table.family === 'ip6' ? 'ip6tables' : 'iptables'
  return table.title.startsWith(`${tool}-legacy`) ? `${tool}-legacy` : tool
}

const insertInto = ({ table, chain }: Base): string => `nft insert rule ${table.family} ${table.name} ${chain.name}`
