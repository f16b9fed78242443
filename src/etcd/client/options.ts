import { readEndpoints } from '../../config/endpoints.ts'

/** One address of etcd, checked. */
export interface EtcdAddress {
  /** Canonical, with the port: `https://10.0.0.1:2379`. Fit for logs. */
  readonly url: string
  readonly secure: boolean
}

/** @throws {ConfigError} for `--etcd-endpoints` */
export const parseEndpoints = (endpoints: readonly string[]): readonly EtcdAddress[] =>
  readEndpoints(endpoints, false).endpoints.map((url) => ({ url, secure: url.startsWith('https:') }))
