import type { Flag } from '../../src/cli/flag.ts'
import { FLAG_GROUPS } from '../../src/cli/flags.ts'
import { COMMANDS, type DescribedCommand } from '../../src/completion/commands.ts'
import type { Facts } from './texts.ts'
import { environmentName, defaultText } from '../../src/completion/values.ts'

/** Text as roff takes it: no escapes, no requests, hyphens that can be copied. */
export const roff = (text: string): string =>
  text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replace(/^([.'])/gm, String.raw`\&$1`)

const FILES: readonly (readonly [path: string, what: string])[] = [
  ['/etc/default/flanneld', 'settings: FLANNELD_OPTS with flags, or a variable for each'],
  ['/etc/sysconfig/flanneld, /run/flannel/options.env', 'the same, read after it where they exist'],
  ['/run/flannel/subnet.env', "this host's subnet and MTU, written when the overlay forwards; Docker and CNI read it"],
  ['/run/docker_opts.env', 'options for dockerd, as docker-opts writes them'],
  ['/var/lib/cni/flannel', 'what the CNI plugin remembers of each container'],
]

const EXITS: readonly (readonly [code: string, what: string])[] = [
  ['0', 'asked to stop, or the command is done'],
  ['1', 'a failure that another start may cure'],
  ['2', 'bad usage or configuration; the unit does not start it again'],
]

/** The manual page flanneld(8). */
export function manualPage({ version, epoch }: Facts): string {
  const date = new Date(epoch * 1000).toISOString().slice(0, 10)
  return [
    `.TH FLANNELD 8 "${date}" "flannel-agent ${roff(version)}" "System Administration"\n`,
    section(
      'NAME',
      String.raw`flanneld \- agent of a container overlay network (VXLAN), a drop\-in for flannel` + '\n',
    ),
    section('SYNOPSIS', synopsis()),
    section('DESCRIPTION', DESCRIPTION),
    section('OPTIONS', options()),
    section('COMMANDS', COMMANDS.map(describeCommand).join('')),
    section('EXIT STATUS', EXITS.map(([code, what]) => item(`.B ${code}`, what)).join('')),
    section('FILES', FILES.map(([path, what]) => item(`.I ${roff(path)}`, what)).join('')),
    section('SIGNALS', item('.BR SIGTERM ", " SIGINT', SIGNALS)),
    section('SEE ALSO', '.BR ip (8),\n.BR bridge (8),\n.BR nft (8),\n.BR dockerd (8),\n.BR etcdctl (1)\n'),
  ].join('')
}

const section = (title: string, text: string): string => `.SH ${title}\n${text}`
const item = (head: string, text: string): string => `.TP\n${head}\n${roff(text)}\n`

const synopsis = (): string =>
  [
    '.B flanneld\n.RI [ flags ]\n',
    ...COMMANDS.map(({ name }) => `.br\n.B flanneld ${roff(name)}\n.RI [ arguments ]\n`),
  ].join('')

const DESCRIPTION = `${roff(`Leases a subnet for this host in etcd, or takes that of its Kubernetes Node, creates the VXLAN device, and keeps one neighbour, one forwarding and one
route entry in the kernel for every other host. The kernel forwards the packets: flanneld may be stopped, killed or
upgraded without losing one. What it leaves when it stops is taken away by`)}
.BR "flanneld cleanup" .
.PP
${roff(`It waits for etcd and for the network configuration below the key of --etcd-prefix (default
/coreos.com/network/config), and says in its log what it waits for. Then it writes the subnet file, and tells systemd that
it is ready.`)}
`

const SIGNALS = 'Ends the agent; device, entries and rules stay, so that forwarding goes on.'

function options(): string {
  const preface =
    roff(`Flags may be written -iface=eth1, -iface eth1 or --iface eth1. A flag that is not given is taken from the variable
named with it, else its default holds.`)
  const groups = FLAG_GROUPS.map(({ title, flags }) => `.SS ${roff(title)}\n${flags.map(describeFlag).join('')}`)
  return `${preface}\n${groups.join('')}`
}

function describeFlag(flag: Flag<unknown>): string {
  const { name, placeholder, help } = flag
  const value = placeholder === undefined ? '' : ` \\fI${roff(placeholder)}\\fR`
  const shown = defaultText(flag)
  const state = /^(false)?$/.test(shown) ? '' : ` Default: ${shown}.`
  return item(`\\fB\\-\\-${roff(name)}\\fR${value}`, `${help}.${state} Variable: ${environmentName(name)}.`)
}

function describeCommand({ name, summary, links, help }: DescribedCommand): string {
  const also = links.length === 0 ? '' : ` Also when the program is called ${links.join(' or ')}.`
  return `.SS ${roff(name)}\n${roff(`${summary}.${also}`)}\n.PP\n.nf\n${roff(help.trimEnd())}\n.fi\n`
}
