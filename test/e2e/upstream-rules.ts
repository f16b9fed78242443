/** With which tool upstream writes its rules: the variant of iptables that the host has, one by name, or nft. */
export type UpstreamRules = 'iptables' | 'iptables-legacy' | 'nftables'

const NETWORK = { 4: '10.0.0.0/8', 6: 'fd00:10::/48' } as const
const MULTICAST = { 4: '224.0.0.0/4', 6: 'ff00::/8' } as const

/** A shell script that writes the rules of one family as upstream has them, its own subnet being this. */
export const upstreamRules = (rules: UpstreamRules, family: 4 | 6, subnet: string): string =>
  rules === 'nftables' ? nftScript(family, subnet) : iptablesScript(rules, family, subnet)

/** Both jumps are appended, and all rules commented. */
function iptablesScript(variant: string, family: 4 | 6, subnet: string): string {
  const tool = family === 4 ? variant : variant.replace('iptables', 'ip6tables')
  const network = NETWORK[family]
  const masquerading = [
    '-m mark --mark 0x4000/0x4000 @ -j RETURN',
    `-s ${subnet} -d ${network} @ -j RETURN`,
    `-s ${network} -d ${subnet} @ -j RETURN`,
    `! -s ${network} -d ${subnet} @ -j RETURN`,
    `-s ${network} ! -d ${MULTICAST[family]} @ -j MASQUERADE --random-fully`,
    `! -s ${network} -d ${network} @ -j MASQUERADE --random-fully`,
  ]
  const forwarding = [`-s ${network} @ -j ACCEPT`, `-d ${network} @ -j ACCEPT`]
  const chain = (table: string, builtin: string, name: string, comment: string, lines: readonly string[]): string[] => [
    `${tool} -t ${table} -N ${name}`,
    ...[`${builtin} @ -j ${name}`, ...lines.map((line) => `${name} ${line}`)].map(
      (line) => `${tool} -t ${table} -A ${line.replace('@', `-m comment --comment "${comment}"`)}`,
    ),
  ]
  return [
    ...chain('nat', 'POSTROUTING', 'FLANNEL-POSTRTG', 'flanneld masq', masquerading),
    ...chain('filter', 'FORWARD', 'FLANNEL-FWD', 'flanneld forward', forwarding),
  ].join('\n')
}

/** Tables and chains are commented, rules are not; the mark is compared without a mask. */
function nftScript(family: 4 | 6, subnet: string): string {
  const protocol = family === 4 ? 'ip' : 'ip6'
  const network = NETWORK[family]
  return `nft -f - <<'END'
table ${protocol} flannel-ipv${family} {
  comment "a table of upstream"
  chain postrtg {
    comment "for what leaves the overlay"
    type nat hook postrouting priority srcnat;
    meta mark 0x4000 return
    ${protocol} saddr ${subnet} ${protocol} daddr ${network} return
    ${protocol} saddr ${network} ${protocol} daddr ${subnet} return
    ${protocol} saddr != ${network} ${protocol} daddr ${subnet} return
    ${protocol} saddr ${network} ${protocol} daddr != ${MULTICAST[family]} masquerade fully-random
    ${protocol} saddr != ${network} ${protocol} daddr ${network} masquerade fully-random
  }
  chain forward {
    comment "for what belongs to the overlay"
    type filter hook forward priority filter;
    ${protocol} saddr ${network} accept
    ${protocol} daddr ${network} accept
  }
}
END`
}
