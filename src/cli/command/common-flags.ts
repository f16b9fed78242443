import { boolean, choice, text } from '../flag.ts'

/** Where an agent's status socket is, unless it was told another place. */
export const DEFAULT_SOCKET = '/run/flannel/flanneld.sock'

/** Flags that many commands have; see spec.ts. */
export const COMMON = {
  json: boolean('json', false, 'print JSON, for scripts; its fields stay'),
  socket: text(
    'socket',
    'file',
    `status socket of the agent (default: the agent's --status-socket, else ${DEFAULT_SOCKET})`,
  ),
  color: choice('color', ['auto', 'always', 'never'], 'when to colour; auto: on a terminal, unless NO_COLOR is set'),
  watch: boolean('watch', false, 'show it again every 2 seconds, until stopped'),
} as const
