import { COMMAND_GROUPS, QUESTIONS, SUBCOMMANDS, type CommandGroup, type Subcommand } from './commands.ts'
import { environmentName, type Flag } from './flag.ts'
import { FLAG_GROUPS } from './flags.ts'

const WIDTH = 99
const MARGIN = ' '.repeat(4)

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
  return `${INTRODUCTION}${groups.join('')}${commandsText()}`
}

/** The commands under their headings, those that ask a question last. */
export function commandsText(): string {
  const titles = Object.entries(COMMAND_GROUPS) as readonly (readonly [CommandGroup, string])[]
  const groups = titles.map(([group, title]) => {
    const rows = SUBCOMMANDS.filter((command: Subcommand) => command.group === group)
    return rows.length === 0 ? '' : `\n${title}\n${described(rows)}`
  })
  return `${groups.join('')}\nQuestions\n${described(QUESTIONS)}`
}

const described = (commands: readonly Pick<Subcommand, 'name' | 'summary'>[]): string =>
  commands.map(({ name, summary }) => entry(name, summary)).join('')

function describeFlag({ name, placeholder, help, fallback }: Flag<unknown>): string {
  const shown = describeDefault(fallback)
  const suffix = /^(false)?$/.test(shown) ? '' : ` (default: ${shown})`
  return entry(
    `--${name}${placeholder === undefined ? '' : ` <${placeholder}>`}`,
    `${help}${suffix} [${environmentName(name)}]`,
  )
}

const describeDefault = (fallback: unknown): string =>
  typeof fallback === 'object' && fallback !== null && 'text' in fallback
    ? String(fallback.text)
    : [fallback].flat().join(',')

/** A flag or a command with what it does, as in `--help`. */
export const entry = (head: string, text: string): string => `  ${head}\n${wrap(text)}`

/** Lines no longer than the width, unless a single word is. */
export function wrap(text: string, margin = MARGIN): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && margin.length + line.length + 1 + word.length > WIDTH) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.map((line) => `${margin}${line}\n`).join('')
}
