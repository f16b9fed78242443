import { isSecretName, secretsInUrl } from '../../bugreport/redact.ts'
import { FLAGS } from '../../cli/flags.ts'
import { layeredReader, type Layer } from '../../cli/layers.ts'
import { ConfigError } from '../../config/error.ts'
import type { Asking } from '../asking/asking.ts'
import { daemonLayers } from '../settings/daemon-settings.ts'

/**
 * Texts that must not stand in a report: password, user and key file of etcd, users in its URLs, and the values of variables, of this
 * process and of the daemon's, that are named like a secret.
 */
export function knownSecrets({ own }: Asking): readonly string[] {
  return [own, ...daemonLayers()].flatMap(secretsOf)
}

function secretsOf(layer: Layer): readonly string[] {
  const variables = Object.entries(layer.environment).flatMap(([name, value = '']) =>
    isSecretName(name) ? [value] : [],
  )
  const urls = [...(layer.given.get(FLAGS.endpoints.name) ?? []), layer.environment['FLANNELD_ETCD_ENDPOINTS'] ?? '']
  const inUrls = urls
    .join(',')
    .split(/[\s,]+/)
    .flatMap(secretsInUrl)
  return [...variables, ...inUrls, ...etcdSecrets(layer)]
}

function etcdSecrets(layer: Layer): readonly string[] {
  const value = layeredReader([layer])
  return [FLAGS.password, FLAGS.keyFile, FLAGS.username].flatMap((flag) => {
    try {
      return value(flag) ?? []
    } catch (error) {
      if (error instanceof ConfigError) return []
      throw error
    }
  })
}
