import type { KernelOp } from '../kernel/kernel.ts'
import type { Ip } from '../net/ip.ts'
import type { PlannedChange } from './journal.ts'
import { quoted } from '../text/quoted.ts'

/** What a change is about: for counting, and for programs. */
export type ChangeKind =
  'device' | 'address' | 'neighbour' | 'fdb' | 'route' | 'setting' | 'firewall' | 'subnet file' | 'lease'

/** One change, as people and shells read it. */
export interface ScriptStep {
  readonly kind: ChangeKind
  /** Lines for sh(1), which do what the agent would; none of them where only the agent can do it. */
  readonly lines: readonly string[]
}

/** The changes as lines of a script, in their order. */
export const scriptOf = (changes: readonly PlannedChange[]): readonly ScriptStep[] => changes.map(stepOf)

function stepOf(change: PlannedChange): ScriptStep {
  switch (change.on) {
    case 'kernel':
      return kernelStep(change.op, change.link ?? '?', change.over)
    case 'tun':
      return {
        kind: 'device',
        lines: [
          `# flanneld makes the TUN device ${change.link} and carries its packets: it is there while flanneld runs`,
        ],
      }
    case 'setting': {
      const path = ['/proc/sys', ...change.name].join('/')
      return { kind: 'setting', lines: [`echo ${quoted(change.value)} > ${quoted(path)}`] }
    }
    case 'program':
      return { kind: 'firewall', lines: programLines(change) }
    case 'file':
      return { kind: 'subnet file', lines: fileLines(change) }
    case 'store':
      return { kind: 'lease', lines: [] }
  }
}

function kernelStep(op: KernelOp, link: string, over: string | undefined): ScriptStep {
  const dev = quoted(link)
  switch (op.op) {
    case 'link.create':
      return { kind: 'device', lines: creation(op, over) }
    case 'link.delete':
      return { kind: 'device', lines: [`ip link delete dev ${dev}`] }
    case 'link.set':
      return { kind: 'device', lines: setting(op, dev) }
    case 'address.add': {
      const flag = op.noPrefixRoute === true ? ' noprefixroute' : ''
      return { kind: 'address', lines: [`ip address add ${op.ip.text}/${op.prefixLength} dev ${dev}${flag}`] }
    }
    case 'address.delete':
      return { kind: 'address', lines: [`ip address delete ${op.ip.text}/${op.prefixLength} dev ${dev}`] }
    case 'neighbour.replace':
      return {
        kind: 'neighbour',
        lines: [`${ip(op.ip)} neighbour replace ${op.ip.text} lladdr ${op.mac} dev ${dev} nud permanent`],
      }
    case 'neighbour.delete':
      return { kind: 'neighbour', lines: [`${ip(op.ip)} neighbour delete ${op.ip.text} dev ${dev}`] }
    case 'fdb.replace':
      return { kind: 'fdb', lines: [`bridge fdb replace ${op.mac} dev ${dev} dst ${op.remote.text} self permanent`] }
    case 'fdb.delete':
      return { kind: 'fdb', lines: [`bridge fdb delete ${op.mac} dev ${dev} self`] }
    case 'route.replace':
      return { kind: 'route', lines: [`${routeLine('replace', op, dev)}${op.onlink === true ? ' onlink' : ''}`] }
    case 'route.delete':
      return { kind: 'route', lines: [routeLine('delete', op, dev)] }
  }
}

type OpOf<Name extends KernelOp['op']> = Extract<KernelOp, { op: Name }>

function creation({ spec }: OpOf<'link.create'>, over: string | undefined): readonly string[] {
  const { name, mac, mtu, alias, vxlan } = spec
  const { vni, local, port, learning, gbp, ttl, udpChecksum } = vxlan
  const words = [
    `ip link add ${quoted(name)} mtu ${mtu} address ${mac} type vxlan id ${vni}`,
    ...(local === undefined ? [] : [`local ${local.text}`]),
    ...(over === undefined ? [] : [`dev ${quoted(over)}`]),
    `dstport ${port}`,
    learning ? 'learning' : 'nolearning',
    ...(ttl === 0 ? [] : [`ttl ${ttl}`]),
    udpChecksum ? 'udpcsum' : 'noudpcsum',
    ...(gbp ? ['gbp'] : []),
  ]
  return [words.join(' '), `ip link set dev ${quoted(name)} alias ${quoted(alias)}`]
}

function setting({ mtu, mac, alias, master, up, addressGeneration }: OpOf<'link.set'>, dev: string): readonly string[] {
  const words = [
    ...(addressGeneration === undefined ? [] : [`addrgenmode ${addressGeneration}`]),
    ...(mtu === undefined ? [] : [`mtu ${mtu}`]),
    ...(mac === undefined ? [] : [`address ${mac}`]),
    ...(alias === undefined ? [] : [`alias ${quoted(alias)}`]),
    ...(master === undefined ? [] : ['nomaster']),
    ...(up === undefined ? [] : [up ? 'up' : 'down']),
  ]
  return words.map((word) => `ip link set dev ${dev} ${word}`)
}

function routeLine(verb: string, op: OpOf<'route.replace'> | OpOf<'route.delete'>, dev: string): string {
  const { destination, gateway, metric, protocol, type, linkIndex } = op
  return [
    `${ip(destination.base)} route ${verb}`,
    ...(type === 'unicast' ? [] : [type]),
    destination.text,
    ...(gateway === undefined ? [] : [`via ${gateway.text}`]),
    ...(linkIndex === undefined ? [] : [`dev ${dev}`]),
    ...(protocol === 'unspec' ? [] : [`proto ${protocol}`]),
    ...(metric === 0 ? [] : [`metric ${metric}`]),
  ].join(' ')
}

const ip = ({ family }: Ip): string => (family === 4 ? 'ip' : 'ip -6')

/** What a program reads goes to it as a here-document: its end stands in no input of ours. */
function programLines({ tool, args, input }: Extract<PlannedChange, { on: 'program' }>): readonly string[] {
  const command = [tool, ...args].map(quoted).join(' ')
  return input === '' ? [command] : hereDocument(command, input)
}

const fileLines = ({ path, text }: Extract<PlannedChange, { on: 'file' }>): readonly string[] => [
  ...(path.includes('/') ? [`mkdir -p ${quoted(path.replace(/\/[^/]*$/, '') || '/')}`] : []),
  ...hereDocument(`cat > ${quoted(path)}`, text),
]

const hereDocument = (command: string, text: string): readonly string[] => [
  `${command} <<'END'`,
  ...text.replace(/\n$/, '').split('\n'),
  'END',
]
