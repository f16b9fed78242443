/** A program whose output goes into the archive. */
export interface ReportTool {
  /** Name of the file. */
  readonly file: string
  readonly command: readonly [program: string, ...args: readonly string[]]
}

const LAST_LINES = '5000'

/** What is asked of the host. Each only shows something; who is not installed is left out, and said. */
export const REPORT_TOOLS: readonly ReportTool[] = [
  { file: 'uname.txt', command: ['uname', '-a'] },
  { file: 'ip-link.txt', command: ['ip', '-d', '-s', 'link', 'show'] },
  { file: 'ip-addr.txt', command: ['ip', '-d', 'addr', 'show'] },
  { file: 'ip-rule.txt', command: ['ip', 'rule', 'show'] },
  { file: 'ip-6-rule.txt', command: ['ip', '-6', 'rule', 'show'] },
  { file: 'ip-route.txt', command: ['ip', '-d', 'route', 'show', 'table', 'all'] },
  { file: 'ip-6-route.txt', command: ['ip', '-6', '-d', 'route', 'show', 'table', 'all'] },
  { file: 'ip-neigh.txt', command: ['ip', '-d', 'neigh', 'show'] },
  { file: 'bridge-fdb.txt', command: ['bridge', '-d', 'fdb', 'show'] },
  { file: 'nft.txt', command: ['nft', '-a', 'list', 'ruleset'] },
  { file: 'iptables.txt', command: ['iptables-save', '-c'] },
  { file: 'ip6tables.txt', command: ['ip6tables-save', '-c'] },
  { file: 'iptables-legacy.txt', command: ['iptables-legacy-save', '-c'] },
  { file: 'sockets.txt', command: ['ss', '-lunp'] },
  { file: 'socket-counts.txt', command: ['ss', '-s'] },
  { file: 'modules.txt', command: ['lsmod'] },
  {
    file: 'sysctl-net.txt',
    command: [
      'sysctl',
      '-a',
      '--pattern',
      String.raw`^net\.(ipv[46]\.(conf|ip_forward|neigh|route)|netfilter\.nf_conntrack_(count|max)|core\.[rw]mem|bridge)`,
    ],
  },
  { file: 'unit.txt', command: ['systemctl', 'cat', 'flanneld.service'] },
  {
    file: 'unit-status.txt',
    command: ['systemctl', 'status', '--no-pager', '--full', '--lines=0', 'flanneld.service'],
  },
  {
    file: 'log.txt',
    command: [
      'journalctl',
      '--no-pager',
      '--output=short-iso-precise',
      `--lines=${LAST_LINES}`,
      '--unit=flanneld.service',
    ],
  },
  {
    file: 'log-docker.txt',
    command: ['journalctl', '--no-pager', '--output=short-iso-precise', '--lines=500', '--unit=docker.service'],
  },
  {
    file: 'log-kernel.txt',
    command: ['journalctl', '--no-pager', '--output=short-iso-precise', '--lines=500', '--dmesg'],
  },
]

/** Files that go into it as they stand, but for secrets. */
export const REPORT_FILES: readonly (readonly [path: string, file: string])[] = [
  ['/etc/os-release', 'os-release.txt'],
  ['/etc/default/flanneld', 'etc-default-flanneld.txt'],
  ['/etc/sysconfig/flanneld', 'etc-sysconfig-flanneld.txt'],
  ['/run/flannel/options.env', 'run-flannel-options.env.txt'],
  ['/run/docker_opts.env', 'run-docker-opts.env.txt'],
  ['/proc/net/snmp', 'proc-net-snmp.txt'],
  ['/proc/net/netstat', 'proc-net-netstat.txt'],
  ['/proc/net/stat/arp_cache', 'proc-net-stat-arp-cache.txt'],
  ['/proc/net/stat/ndisc_cache', 'proc-net-stat-ndisc-cache.txt'],
]

/** What the agent is asked for. */
export const REPORT_DOCUMENTS: readonly (readonly [path: string, file: string])[] = [
  ['/v1/status', 'status.json'],
  ['/v1/peers', 'peers.json'],
  ['/v1/pending', 'pending.json'],
  ['/v1/rejected', 'rejected.json'],
  ['/v1/events', 'events.json'],
  ['/metrics', 'metrics.txt'],
]
