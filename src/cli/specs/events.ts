import { boolean } from '../flag.ts'
import { COMMON } from '../command/common-flags.ts'
import type { CommandSpec } from '../command/spec.ts'

export const FOLLOW = boolean(
  'follow',
  false,
  'wait for further ones, also of the agent that is started after this one, until stopped',
)

export const EVENTS: CommandSpec = {
  name: 'events',
  operands: '',
  takes: [0, 0],
  about: `Shows what has happened on this node: the last 200 notable events since its agent was started, the newest last, each with its time and what belongs to it. With --json, each is a JSON object in a line of its own.`,
  flags: [FOLLOW, COMMON.json, COMMON.socket, COMMON.color],
  letters: { f: FOLLOW },
  exits: '0; 1 when no agent answers; 2 for bad usage.',
}
