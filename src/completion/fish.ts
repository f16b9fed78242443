import type { Flag } from '../cli/flag.ts'
import { COMMANDS } from './commands.ts'
import { ALL_FLAGS, valueKind } from './values.ts'

/** Within single quotes, where fish knows two escapes. */
const quoted = (text: string): string => `'${text.replaceAll('\\', String.raw`\\`).replaceAll("'", String.raw`\'`)}'`

const NO_COMMAND = `-n ${quoted(`not __fish_seen_subcommand_from ${COMMANDS.map(({ name }) => name).join(' ')}`)}`

function daemonFlag(flag: Flag<unknown>): string {
  const takes = { none: '', file: ' -r -F', interface: ` -x -a ${quoted('(command ls /sys/class/net)')}`, other: ' -x' }
  return `complete -c flanneld ${NO_COMMAND} -l ${flag.name}${takes[valueKind(flag)]} -d ${quoted(flag.help)}`
}

const ownFlag = (command: string, flag: string): string =>
  `complete -c flanneld -n ${quoted(`__fish_seen_subcommand_from ${command}`)} ${flag.startsWith('--') ? '-l' : '-s'} ${flag.replace(/^-+/, '')}`

/** Completion for fish. */
export function fishCompletion(): string {
  const first = COMMANDS.map(
    ({ name, summary }) => `complete -c flanneld ${NO_COMMAND} -f -a ${name} -d ${quoted(summary)}`,
  )
  const flags = COMMANDS.flatMap(({ name, flags: own }) => own.map((flag) => ownFlag(name, flag)))
  return `# fish completion for flanneld(8); made of its table of flags
${[...first, ...ALL_FLAGS.map(daemonFlag), ...flags].join('\n')}
`
}
