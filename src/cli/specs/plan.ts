import { COMMON } from '../command/common-flags.ts'
import type { CommandSpec } from '../command/spec.ts'
import { STORE_ACCESS_FLAGS } from '../kube-access.ts'
import { text } from '../flag.ts'
import { FLAGS } from '../flags.ts'

export const PLAN_CONFIG = text(
  'config',
  'file|-',
  'network configuration to plan for, in place of that in etcd; - reads standard input',
)

/** Flags of the daemon that what it does to a host depends on. */
const OF_DAEMON = [
  ...STORE_ACCESS_FLAGS,
  ...[FLAGS.ifaces, FLAGS.ifaceRegexes, FLAGS.ifaceCanReach, FLAGS.publicIp, FLAGS.publicIpv6],
  ...[FLAGS.ipMasq, FLAGS.noRandomFully, FLAGS.ipBlackholeRoute, FLAGS.forwardRules, FLAGS.peerFilter],
  ...[FLAGS.subnetFile, FLAGS.nodeId],
]

export const PLAN: CommandSpec = {
  name: 'plan',
  operands: '',
  takes: [0, 0],
  about: `Says what an agent that was started now would change on this host, as lines for a shell in the order in which it would do them: device, neighbours, forwarding entries, routes, settings, firewall, subnet file. Nothing is changed, here or in etcd, whether an agent runs or not; root is needed to read the firewall.

What needs the agent itself, such as its lease, stands there as a comment. What it would wait for, or warn of, too.

With --config it plans for a configuration that is not in etcd yet, and says what becomes of it: what agents that run follow at once, what waits for a restart, and which leases would no longer fit.

Settings that are not given here are those of the agent that runs on this host, else those of its unit's files.`,
  flags: [PLAN_CONFIG, COMMON.json, COMMON.color, ...OF_DAEMON],
  exits: '0 when there is nothing to change; 1 when there is, or it cannot be told; 2 for bad usage or configuration.',
}
