import { QUESTIONS, SUBCOMMANDS } from './commands.ts'
import { environmentName, type Flag } from './flag.ts'
import { FLAG_GROUPS } from './flags.ts'
import { isNotYet } from './not-yet.ts'

const WIDTH = 99
const MARGIN = 4

const INTRODUCTION = `Usage: flanneld [flags]
       flanneld COMMAND [arguments]

Leases a subnet for this host and keeps the kernel forwarding container packets to all others.

Flags may be written -iface=eth1, -iface eth1 or --iface eth1; a switch takes a value after = only
(--ip-masq=false). A flag that is not given is taken from the environment variable named with it,
else its default holds.
`

/** What `flanneld --help` prints: every flag under its heading, with its default and its environment variable, and the commands. */
export function helpText(): string {
  const groups = FLAG_GROUPS.map(({ title, flags }) => `\n${title}\n${flags.map(describeFlag).join('')}`)
  const commands = [...SUBCOMMANDS, ...QUESTIONS].map(({ name, summary }) => entry(name, summary))
  return `${INTRODUCTION}${groups.join('')}\nCommands\n${commands.join('')}`
}

function describeFlag({ name, placeholder, help, fallback }: Flag<unknown>): string {
  const shown = describeDefault(fallback)
  const suffix = isNotYet(name) ? ' (not supported yet)' : /^(false)?$/.test(shown) ? '' : ` (default: ${shown})`
  return entry(
    `--${name}${placeholder === undefined ? '' : ` <${placeholder}>`}`,
    `${help}${suffix} [${environmentName(name)}]`,
  )
}

const describeDefault = (fallback: unknown): string =>
  typeof fallback === 'object' && fallback !== null && 'text' in fallback
    ? String(fallback.text)
    : [fallback].flat().join(',')

const entry = (head: string, text: string): string => `  ${head}\n${wrap(text)}`

/** Lines no longer than the width, unless a single word is. */
function wrap(text: string): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && MARGIN + line.length + 1 + word.length > WIDTH) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.map((line) => `${' '.repeat(MARGIN)}${line}\n`).join('')
}
