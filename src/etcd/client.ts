import { noop } from 'cockatiel'
import { Etcd3 } from 'etcd3'

import type { EtcdAddress, EtcdOptions } from './options.ts'
import { readTlsCredentials } from './tls.ts'

/**
 * Channel settings (grpc: doc/keepalive.md). A peer that stands still with its socket open is found within 7 s; more often than
 * every 5 s etcd counts as abuse (`--grpc-keepalive-min-time`). Lists of leases have no upper size. A proxy from the
 * environment is for the web, not for etcd.
 */
const CHANNEL = {
  'grpc.keepalive_time_ms': 5_000,
  'grpc.keepalive_timeout_ms': 2_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.max_receive_message_length': -1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  'grpc.service_config_disable_resolution': 1,
}

/** How long getting a token may take; checking a password is slow on purpose (bcrypt). */
const AUTHENTICATE_TIMEOUT_MS = 4_000

/**
 * An etcd3 client for one address. Its fault handling is switched off: which address to use, when to try again and whether
 * that is safe is decided in `call.ts`, per call.
 * @throws {ConfigError} for unreadable TLS files
 */
export function connect(address: EtcdAddress, options: EtcdOptions): Etcd3 {
  const { username = '', password = '' } = options
  return new Etcd3({
    hosts: address.url,
    grpcOptions: CHANNEL,
    faultHandling: { host: () => noop, global: noop },
    ...(address.secure ? { credentials: readTlsCredentials(options) } : {}),
    ...(username === ''
      ? {}
      : {
          auth: { username, password, callOptions: () => ({ deadline: Date.now() + AUTHENTICATE_TIMEOUT_MS }) },
        }),
  })
}
