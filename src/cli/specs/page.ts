import { ipFromBytes, parseIp, type Ip } from '../../net/ip.ts'
import { COMMON } from '../command/common-flags.ts'
import type { CommandSpec } from '../command/spec.ts'
import { flag, integer, type Read } from '../flag.ts'

const LOOPBACK = ipFromBytes([127, 0, 0, 1])
const DEFAULT_PORT = 8082
const MOST_PORT = 65_535
/** Each is asked for all its peers every few seconds. */
const MOST_NODES = 64

/** The health port of an agent. */
export interface NodeAddress {
  readonly host: string
  readonly port: number
}

const readListen: Read<Ip> = (value, fail) => parseIp(value) ?? fail('an address of this host')

const readNodes: Read<readonly NodeAddress[]> = (value, fail) => {
  const nodes = value.split(',').map((text) => nodeIn(text.trim()) ?? fail('HOST:PORT, or several with commas between'))
  return nodes.length > MOST_NODES ? fail(`no more than ${MOST_NODES} nodes`) : nodes
}

/** `host-one:8081`, `192.168.205.10:8081`, `[fd00::1]:8081`; `http://` before it and a `/` behind it are taken. */
function nodeIn(text: string): NodeAddress | undefined {
  const [, six, name, digits = ''] = /^(?:http:\/\/)?(?:\[([0-9a-f:.]+)\]|([\w.-]+)):(\d{1,5})\/?$/i.exec(text) ?? []
  const host = six === undefined ? name : parseIp(six)?.text
  const port = Number(digits)
  return host === undefined || port < 1 || port > MOST_PORT ? undefined : { host, port }
}

export const LISTEN = flag<Ip>('listen', 'ip', LOOPBACK, 'address of this host to serve the page at', readListen)
export const PORT = integer('port', DEFAULT_PORT, 0, MOST_PORT, 'port to serve it at; 0: one that is free')
export const NODES = flag<readonly NodeAddress[]>(
  'nodes',
  'host:port,…',
  [],
  'other agents to ask as well, by their health ports (they need --healthz-page or --healthz-status)',
  readNodes,
)

export const PAGE: CommandSpec = {
  name: 'page',
  operands: '',
  takes: [0, 0],
  about: `Serves a page for browsers that shows the overlay as the agent of this host sees it, and prints its address: what is wrong first, who is reached, the address space as a map, nodes, leases, what happens as it happens. With --nodes, who reaches whom.

The address has a key behind its "#": whoever has it can read what the agent's status socket tells, and change nothing. From another machine: ssh -L ${DEFAULT_PORT}:127.0.0.1:${DEFAULT_PORT} HOST, then open the address there.

It runs until it is stopped, and asks the agent only while the page is open.`,
  flags: [LISTEN, PORT, NODES, COMMON.socket],
  exits: '0 when it was asked to stop; 1 when it cannot be served; 2 for bad usage.',
}
