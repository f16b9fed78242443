import { quoted } from '../../text/quoted.ts'
import type { StoreAccess } from '../store-facts.ts'

/** `etcdctl`, as the daemon reaches etcd: what follows is what is asked. @param user undefined: whom the daemon asks as */
export function etcdctl(access: StoreAccess, command: string, user = access.user): string {
  const { endpoints, caFile, certFile, keyFile } = access
  const flags = [
    ['endpoints', endpoints.join(',')],
    ['cacert', caFile],
    ['cert', certFile],
    ['key', keyFile],
    ['user', user],
  ] as const
  const words = flags.flatMap(([flag, value]) =>
    value === undefined || value === '' ? [] : [quoted(`--${flag}=${value}`)],
  )
  return ['ETCDCTL_API=3', 'etcdctl', ...words, command].join(' ')
}

/** Host and port of an endpoint. */
export function placeOf(url: string): { readonly host: string; readonly port: string } {
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? '2379' : port }
}
