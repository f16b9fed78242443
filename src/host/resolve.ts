import { lookup } from 'node:dns/promises'
import { parseIp, type Ip } from '../net/ip.ts'

/** Addresses of a host name, as every program on this host sees them (nsswitch.conf). @throws Node's own error */
export async function resolveHost(name: string): Promise<readonly Ip[]> {
  const found = await lookup(name, { all: true })
  return found.flatMap(({ address }) => parseIp(address) ?? [])
}
