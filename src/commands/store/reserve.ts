import type { ReservationWish } from '../../admin/reservation.ts'
import { reserve, type Reserved } from '../../admin/reserve.ts'
import type { CommandCall } from '../../cli/commands.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { flagReader, type FlagReader } from '../../cli/flag.ts'
import { FLAGS } from '../../cli/flags.ts'
import { HOSTNAME, RESERVE, SUBNET6 } from '../../cli/specs/reserve.ts'
import { ConfigError } from '../../config/error.ts'
import type { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import type { Ip } from '../../net/ip.ts'
import { parsePrefix, type Prefix } from '../../net/prefix.ts'
import { asJson, asking, type Asking, type Said } from '../asking/asking.ts'
import { daemonSettings } from '../settings/daemon-settings.ts'
import { refuseKubernetes } from '../settings/open-kube.ts'
import { withStore } from '../settings/open-store.ts'
import { nothingThere, placeOf, sayTo, type Place } from './place.ts'

/** `flanneld reserve`. */
export const run = (call: CommandCall): Promise<number> =>
  asking(RESERVE, call, (asked) => {
    const wish = wishOf(asked)
    const { options, from } = daemonSettings(asked.own)
    refuseKubernetes(
      options,
      'reserve',
      'subnets are podCIDRs, which the cluster hands out, and a Node keeps for its life',
    )
    const place = placeOf(options.etcd, from)
    return withStore({ ...options, from }, sayTo(asked), (store) => act(asked, store, place, wish))
  })

/** For whom is said here alone: variables are of the daemon. @throws {ConfigError} */
function wishOf({ operands, own }: Asking): ReservationWish {
  const value = flagReader(own.given, {})
  const [subnet = ''] = operands
  const publicIp = value(FLAGS.publicIp)
  if (publicIp === undefined)
    throw new ConfigError('--public-ip', 'the underlay address of the node that it is for', undefined)
  const id = value(FLAGS.nodeId)
  const hostname = value(HOSTNAME)
  if (id === undefined && hostname !== undefined)
    throw new ConfigError('--hostname', '--node-id with it: a name alone is nobody', hostname)
  return {
    parts: [{ subnet: subnetIn(subnet, 4, 'SUBNET'), publicIp }, ...secondPart(value)],
    node: id === undefined ? undefined : { id, hostname: hostname ?? '' },
  }
}

function secondPart(value: FlagReader): readonly { readonly subnet: Prefix; readonly publicIp: Ip }[] {
  const [subnet, publicIp] = [value(SUBNET6), value(FLAGS.publicIpv6)]
  if (subnet === undefined && publicIp === undefined) return []
  if (subnet === undefined) throw new ConfigError('--subnet6', 'the IPv6 subnet for --public-ipv6', undefined)
  if (publicIp === undefined) throw new ConfigError('--public-ipv6', 'the address for --subnet6', undefined)
  return [{ subnet: subnetIn(subnet, 6, '--subnet6'), publicIp }]
}

function subnetIn(text: string, family: 4 | 6, source: string): Prefix {
  const subnet = parsePrefix(text)
  const example = family === 4 ? '10.15.64.0/20' : 'fd00:10:0:40::/64'
  if (subnet?.family !== family) throw new ConfigError(source, `an IPv${family} subnet such as ${example}`, text)
  if (subnet.base.text !== text.slice(0, text.indexOf('/')))
    throw new ConfigError(source, `the first address of the subnet (is ${subnet.text} meant?)`, text)
  return subnet
}

async function act(asked: Asking, store: EtcdLeaseStore, place: Place, wish: ReservationWish): Promise<Said> {
  const reserved = await reserve(store, wish, asked.signal).catch(unreadable(asked, place))
  if (reserved === undefined) return { text: '', code: EXIT.failed }
  if (reserved.is === 'reserved') return done(asked, place, wish, reserved)
  const reasons = reserved.is === 'refused' ? reserved.objections : [nothingThere(place)]
  for (const reason of reasons) asked.complain(`nothing is reserved: ${reason}`)
  return { text: '', code: EXIT.failed }
}

/** What stands in etcd is nothing that the command was told. */
const unreadable =
  (asked: Asking, place: Place) =>
  (error: unknown): undefined => {
    if (!(error instanceof ConfigError)) throw error
    asked.complain(`nothing is reserved: agents do not take the configuration at ${place.words}: ${error.message}`)
  }

function done(
  asked: Asking,
  place: Place,
  { parts, node }: ReservationWish,
  { key, value, revision }: Extract<Reserved, { is: 'reserved' }>,
): Said {
  if (asked.isJson)
    return { text: asJson({ version: 1, reserved: true, key, value, revision: String(revision) }), code: EXIT.done }
  const subnets = parts.map(({ subnet }) => subnet.text).join(' ')
  const addresses = parts.map(({ publicIp }) => publicIp.text).join(' ')
  const whom = node === undefined ? addresses : `${addresses}, node ${node.hostname} (${node.id})`
  return {
    text: `reserved ${subnets} for ${whom}: ${place.prefix}/subnets/${key} at revision ${revision}
The agent there takes it when it starts. To undo: flanneld release ${parts[0]?.subnet.text ?? key}
`,
    code: EXIT.done,
  }
}
