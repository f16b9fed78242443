import type { CommandCall } from '../../cli/commands.ts'
import { readCommand } from '../../cli/command/spec.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { COMPLETION, SHELLS, type Shell } from '../../cli/specs/completion.ts'
import { bashCompletion } from '../../completion/bash.ts'
import { fishCompletion } from '../../completion/fish.ts'
import { zshCompletion } from '../../completion/zsh.ts'
import { ConfigError } from '../../config/error.ts'
import { endWithOutput } from '../output.ts'

const SCRIPTS: Readonly<Record<Shell, () => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
}

/** `flanneld completion bash`. */
export function run({ args, environment, stopSignal }: CommandCall): Promise<number> {
  const reading = readCommand(COMPLETION, args, environment)
  if (reading.kind === 'print') return endWithOutput(reading.text, EXIT.done, stopSignal)
  const [word = ''] = reading.operands
  const shell = SHELLS.find((one) => one === word)
  if (shell === undefined) throw new ConfigError('arguments', SHELLS.join(', '), word)
  return endWithOutput(SCRIPTS[shell](), EXIT.done, stopSignal)
}
