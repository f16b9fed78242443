import { integer } from '../flag.ts'
import { COMMON } from '../command/common-flags.ts'
import type { CommandSpec } from '../command/spec.ts'

export const COUNT = integer('count', 0, 0, 1_000_000, 'ask so often, and end; 0: until stopped')
export const INTERVAL = integer('interval', 1, 1, 3_600, 'seconds from one question to the next')

export const PING: CommandSpec = {
  name: 'ping',
  operands: 'NODE|SUBNET|IP',
  takes: [1, 1],
  about: `Asks another node over the overlay, again and again as ping does, and says how far packets come: whether it answers, whether packets of full size pass, and if not, whether its public address answers on the underlay.

The agent asks, from its own device's address, so that no route or firewall rule for other programs matters. Where the address of a container is given, that is asked too.`,
  flags: [COUNT, INTERVAL, COMMON.json, COMMON.socket, COMMON.color],
  letters: { c: COUNT, i: INTERVAL },
  exits:
    '0 when each question was answered in full; 1 when one was not, there is no such node, it is this one, or no agent answers; 2 for bad usage.',
}
