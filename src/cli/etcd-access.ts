import { ConfigError } from '../config/error.ts'
import type { EtcdAccess } from '../config/options.ts'
import { hideSecret, type FlagReader } from './flag.ts'
import { FLAGS } from './flags.ts'

/** The flags that {@link readEtcdAccess} reads. */
export const ETCD_ACCESS_FLAGS = [
  FLAGS.endpoints,
  FLAGS.prefix,
  FLAGS.certFile,
  FLAGS.keyFile,
  FLAGS.caFile,
  FLAGS.username,
  FLAGS.password,
] as const

/** How to reach etcd, as the command line says. @throws {ConfigError} for what does not go together */
export function readEtcdAccess(value: FlagReader): EtcdAccess {
  const [certFile, keyFile] = [value(FLAGS.certFile), value(FLAGS.keyFile)]
  const lone = certFile === undefined || keyFile === undefined ? (certFile ?? keyFile) : undefined
  if (lone !== undefined)
    throw new ConfigError('--etcd-certfile and --etcd-keyfile', 'both or neither', hideSecret(lone))
  if (value(FLAGS.password) !== undefined && value(FLAGS.username) === undefined)
    throw new ConfigError('--etcd-username', 'a name, since there is a password', undefined)
  return {
    endpoints: value(FLAGS.endpoints),
    prefix: value(FLAGS.prefix),
    certFile,
    keyFile,
    caFile: value(FLAGS.caFile),
    username: value(FLAGS.username),
    password: value(FLAGS.password),
  }
}
