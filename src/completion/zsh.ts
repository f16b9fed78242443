import type { Flag } from '../cli/flag.ts'
import { COMMANDS } from './commands.ts'
import { ALL_FLAGS, valueKind, type ValueKind } from './values.ts'

const ACTIONS: Readonly<Record<ValueKind, string>> = {
  none: '',
  file: '_files',
  interface: '_net_interfaces',
  other: ' ',
}

/** Within single quotes, and within the brackets of _arguments. */
const quoted = (text: string): string => text.replaceAll("'", `'\\''`)
const bracketed = (text: string): string => quoted(text.replace(/[[\]\\:]/g, String.raw`\$&`))

function argument(flag: Flag<unknown>): string {
  const { name, help, placeholder } = flag
  const repeatable = Array.isArray(flag.fallback) && flag.fallback.length === 0 ? '*' : ''
  const value = placeholder === undefined ? '' : `:${bracketed(placeholder)}:${ACTIONS[valueKind(flag)]}`
  return `    '${repeatable}--${name}${placeholder === undefined ? '' : '='}[${bracketed(help)}]${value}' \\`
}

/** Completion for zsh. */
export function zshCompletion(): string {
  const commands = COMMANDS.map(({ name, summary }) => `    '${name}:${bracketed(summary)}'`)
  const cases = COMMANDS.map(({ name, flags }) => `    ${name}) compadd -- ${flags.join(' ')} ; _files ; return ;;`)
  return `#compdef flanneld
# zsh completion for flanneld(8); made of its table of flags
_flanneld() {
  local -a commands
  commands=(
${commands.join('\n')}
  )
  case \${words[2]} in
${cases.join('\n')}
  esac
  (( CURRENT == 2 )) && _describe command commands
  _arguments \\
${ALL_FLAGS.map(argument).join('\n')}
    && return
}
_flanneld "$@"
`
}
