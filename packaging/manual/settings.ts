import { ALL_FLAGS, defaultText, environmentName, SETTABLE_GROUPS } from '../../src/completion/values.ts'

const WIDTH = 100

const INTRODUCTION = `# Settings of flanneld, the agent of this host's overlay network. See flanneld(8).
#
# Read by flanneld.service: one NAME=value in a line, no "export", nothing that a shell would have to work out. A line that is
# none of these is ignored by systemd without a word. The most important ones come first; after a change:
#
#   systemctl restart flanneld        containers keep their connections

# Where etcd is, for every host the same; tried in turn. Without it flanneld waits for one on this very host.
#FLANNELD_ETCD_ENDPOINTS=http://192.168.205.10:2379

# The interface or address by which the other hosts reach this one (default: that of the default route). Virtual machines
# whose first interface only leads to the world, with the same address everywhere, need it.
#FLANNELD_IFACE=eth1

# Masquerade what containers send to the world outside the overlay. "true" unless Docker or somebody else does it.
#FLANNELD_IP_MASQ=true

# Further flags, as on the command line; a flag wins over its variable. Those that may be repeated go here:
#FLANNELD_OPTS="--iface=eth1 --iface=eth0 -v=1"

# All the others, with their defaults.
`

/** The conffile: every variable that means something, commented out, with what it does and its default. */
export function defaultSettings(): string {
  const groups = SETTABLE_GROUPS.map(({ title, flags }) => {
    const lines = flags.map((flag) => `${comment(flag.help)}#${environmentName(flag.name)}=${defaultText(flag)}\n`)
    return `\n# -- ${title} --\n\n${lines.join('\n')}`
  })
  return `${INTRODUCTION}${groups.join('')}`
}

/** Read by the unit itself: ours, and Red Hat's names of its /etc/sysconfig/flanneld. */
const READ_BY_UNIT = ['FLANNELD_OPTS', 'FLANNEL_OPTIONS', 'FLANNEL_ETCD_ENDPOINTS', 'FLANNEL_ETCD_PREFIX']

/** Everything that may stand there, also what this version does not act upon: it says so itself. */
export const settingNames = (): readonly string[] => [
  ...READ_BY_UNIT,
  ...ALL_FLAGS.map(({ name }) => environmentName(name)),
]

function comment(text: string): string {
  const lines = ['#']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line.length + word.length >= WIDTH) lines.push(`# ${word}`)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return `${lines.join('\n')}\n`
}
