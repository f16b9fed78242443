import type { CommandSpec } from '../command/spec.ts'

/** Shells that there is a completion for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

export const COMPLETION: CommandSpec = {
  name: 'completion',
  operands: SHELLS.join('|'),
  takes: [1, 1],
  about: `Prints a script that completes commands and flags in this shell. Packages bring it along; without one:

  bash   flanneld completion bash >/etc/bash_completion.d/flanneld
  zsh    flanneld completion zsh >/usr/local/share/zsh/site-functions/_flanneld
  fish   flanneld completion fish >/etc/fish/completions/flanneld.fish`,
  flags: [],
  exits: '0; 2 for bad usage.',
}
