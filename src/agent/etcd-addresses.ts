import { parseIp, type Ip } from '../net/ip.ts'

/** Addresses among the hosts of these URLs; host names are left out. */
export const etcdAddresses = (endpoints: readonly string[]): readonly Ip[] =>
  endpoints.flatMap((url) => parseIp(new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')) ?? [])
