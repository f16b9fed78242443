import { COMMANDS } from './commands.ts'
import { ALL_FLAGS, valueKind, type ValueKind } from './values.ts'

const flagsOf = (kind: ValueKind): string =>
  ALL_FLAGS.filter((flag) => valueKind(flag) === kind)
    .flatMap(({ name }) => [`--${name}`, `-${name}`])
    .join('|')

/** Completion for bash. It needs nothing of the package bash-completion but to be loaded, so it works when sourced as well. */
export function bashCompletion(): string {
  const commands = COMMANDS.map(({ name }) => name).join(' ')
  const cases = COMMANDS.map(({ name, flags }) => `    ${name}) words='${flags.join(' ')}' ;;`).join('\n')
  return `# bash completion for flanneld(8); made of its table of flags
_flanneld() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} words
  # bash divides --flag=value into three words
  if [[ $current == '=' ]]; then current=; elif [[ $previous == '=' ]]; then previous=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  COMPREPLY=()
  case $previous in
    ${flagsOf('file')}|-f|-d)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      compopt -o filenames
      return ;;
    ${flagsOf('interface')})
      mapfile -t COMPREPLY < <(compgen -W "$(cd /sys/class/net && echo *)" -- "$current")
      return ;;
    ${flagsOf('other')})
      return ;;
  esac
  case \${COMP_WORDS[1]} in
${cases}
    *)
      words='${ALL_FLAGS.map(({ name }) => `--${name}`).join(' ')}'
      if ((COMP_CWORD == 1)); then words+=' ${commands}'; fi ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _flanneld flanneld
`
}
