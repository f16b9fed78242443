import type { Shape } from './shape.ts'

const URL_OR_DATA = /^(https?|tftp|s3|arn|gs|data):/
const HASH = /^(sha512-[0-9a-f]{128}|sha256-[0-9a-f]{64})$/
const ABSOLUTE = /^\//
const UNIT = /^[\w.@-]+\.(service|socket|timer|mount|path|target|network|link|netdev)$/
const DROP_IN = /^[\w.@-]+\.conf$/

/** `contents` of a file: one of source, inline, local (config-flatcar-v1_0.md, config-fcos-v1_4.md of Butane). */
const CONTENTS: Shape = {
  fields: {
    source: URL_OR_DATA,
    inline: 'text',
    local: 'text',
    compression: /^(null|gzip)$/,
    verification: { fields: { hash: HASH } },
  },
}

const OWNER: Shape = { fields: { name: 'text' } }

/** The part of Butane's specifications that our recipes use; the same for both systems. */
export const butane = (variant: 'flatcar' | 'fcos', version: string): Shape => ({
  fields: {
    '!variant': new RegExp(`^${variant}$`),
    '!version': new RegExp(`^${version.replaceAll('.', String.raw`\.`)}$`),
    storage: {
      fields: {
        files: {
          list: {
            fields: {
              '!path': ABSOLUTE,
              overwrite: 'boolean',
              contents: CONTENTS,
              mode: 'file mode',
              user: OWNER,
              group: OWNER,
            },
          },
        },
        directories: { list: { fields: { '!path': ABSOLUTE, overwrite: 'boolean', mode: 'file mode', user: OWNER } } },
        links: { list: { fields: { '!path': ABSOLUTE, '!target': 'text', overwrite: 'boolean', hard: 'boolean' } } },
      },
    },
    systemd: {
      fields: {
        units: {
          list: {
            fields: {
              '!name': UNIT,
              enabled: 'boolean',
              mask: 'boolean',
              contents: 'text',
              dropins: { list: { fields: { '!name': DROP_IN, contents: 'text' } } },
            },
          },
        },
      },
    },
  },
})

/** Keys of `coreos: flannel:` (Documentation/cloud-config.md and config/ of coreos-cloudinit 1.14). */
export const FLANNEL_KEYS: Readonly<Record<string, string>> = {
  etcd_endpoints: 'etcd-endpoints',
  etcd_cafile: 'etcd-cafile',
  etcd_certfile: 'etcd-certfile',
  etcd_keyfile: 'etcd-keyfile',
  etcd_prefix: 'etcd-prefix',
  etcd_username: 'etcd-username',
  etcd_password: 'etcd-password',
  ip_masq: 'ip-masq',
  subnet_file: 'subnet-file',
  interface: 'iface',
  public_ip: 'public-ip',
}

export const CLOUD_CONFIG: Shape = {
  fields: {
    coreos: {
      fields: {
        flannel: {
          fields: Object.fromEntries(
            Object.keys(FLANNEL_KEYS).map((key) => [key, key === 'ip_masq' ? 'boolean' : 'text']),
          ),
        },
        units: {
          list: {
            fields: {
              '!name': UNIT,
              runtime: 'boolean',
              enable: 'boolean',
              mask: 'boolean',
              content: 'text',
              command: /^(start|stop|reload|restart|try-restart|reload-or-restart|reload-or-try-restart)$/,
              'drop-ins': { list: { fields: { '!name': DROP_IN, content: 'text' } } },
            },
          },
        },
      },
    },
    hostname: 'text',
    write_files: { list: { fields: { '!path': ABSOLUTE, content: 'text', permissions: 'text', owner: 'text' } } },
  },
}
