import { parseIp, type Ip } from '../net/ip.ts'
import { prefix, prefixContains } from '../net/prefix.ts'
import { readRegularFile } from './files/regular-file.ts'

/** What the host's programs ask names of (resolv.conf(5)). */
const RESOLV_CONF = '/etc/resolv.conf'
/** Whom a resolver on this host asks in turn: of systemd-resolved, and of NetworkManager with dnsmasq. */
const BEHIND = ['/run/systemd/resolve/resolv.conf', '/run/NetworkManager/no-stub-resolv.conf']

const NO_OTHER_HOST = ['127.0.0.0/8', '0.0.0.0/32', '::1/128', '::/128'].map(prefix)

/** Addresses of the servers that this host's names are asked of; those it asks on itself stand for whom they ask. Never rejects. */
export async function readResolvers(read: (path: string) => Promise<string> = readRegularFile): Promise<readonly Ip[]> {
  const servers = async (path: string): Promise<readonly Ip[]> => read(path).then(nameServers, () => [])
  const own = await servers(RESOLV_CONF)
  const behind = own.every(isOtherHost) ? [] : await Promise.all(BEHIND.map(servers))
  const all = new Map([own, ...behind].flat().map((server) => [server.text, server]))
  return [...all.values()].filter(isOtherHost)
}

const isOtherHost = (address: Ip): boolean => !NO_OTHER_HOST.some((network) => prefixContains(network, address))

/** An address of a link (`fe80::1%eth0`) is left out: it is in no network of an overlay. */
const nameServers = (text: string): readonly Ip[] =>
  Array.from(text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm), ([, server = '']) => parseIp(server) ?? []).flat()
