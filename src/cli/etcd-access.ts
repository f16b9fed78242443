import { checkEtcdAccess, readEndpoints } from '../config/endpoints.ts'
import { ConfigError } from '../config/error.ts'
import type { EtcdAccess } from '../config/options.ts'
import { hideSecret } from '../config/secrets.ts'
import type { FlagReader } from './flag.ts'
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
  const [caFile, certFile, keyFile] = [value(FLAGS.caFile), value(FLAGS.certFile), value(FLAGS.keyFile)]
  const lone = certFile === undefined || keyFile === undefined ? (certFile ?? keyFile) : undefined
  if (lone !== undefined)
    throw new ConfigError('--etcd-certfile and --etcd-keyfile', 'both or neither', hideSecret(lone))
  const access = {
    ...readEndpoints(value(FLAGS.endpoints), (caFile ?? certFile) !== undefined),
    prefix: value(FLAGS.prefix),
    certFile,
    keyFile,
    caFile,
    username: value(FLAGS.username),
    password: value(FLAGS.password),
  }
  checkEtcdAccess(access)
  return access
}
