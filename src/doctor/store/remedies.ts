import type { FaultStatus } from '../../status/document.ts'
import type { StoreAccess } from '../store-facts.ts'
import type { StoreCause } from './causes-of-faults.ts'
import { quoted } from '../../text/quoted.ts'
import { etcdctl, placeOf } from './etcdctl.ts'

/** What one failure is about. */
export interface Case {
  readonly access: StoreAccess
  /** The endpoint. */
  readonly url: string
  readonly fault: FaultStatus
}

export interface Remedy {
  readonly summary: (of: Case) => string
  readonly cure: (of: Case) => readonly string[]
}

const FILES = { ca: '--etcd-cafile', cert: '--etcd-certfile', key: '--etcd-keyfile' } as const
const RESTART = 'systemctl restart flanneld'

const changeFlag = (flag: string, to: string): string => `in /etc/default/flanneld: ${flag}=${to}, then ${RESTART}`
const otherScheme = (url: string): string =>
  url.startsWith('https:') ? url.replace(/^https/, 'http') : url.replace(/^http/, 'https')
const shown = (file: string | undefined): string => file ?? 'none: the certificates of the system are trusted'
const userOf = ({ user }: StoreAccess): string =>
  user === undefined ? 'the user that the certificate names (its CN)' : `user ${quoted(user)}`
const nameOf = ({ user }: StoreAccess): string => (user === undefined ? 'CN_OF_THE_CERTIFICATE' : quoted(user))

const certificateOf = (url: string): string => {
  const { host, port } = placeOf(url)
  return `openssl s_client -connect ${host.includes(':') ? `[${host}]` : host}:${port} -showcerts </dev/null | openssl x509 -noout -subject -issuer -dates -ext subjectAltName`
}

const grants = (access: StoreAccess): readonly string[] => {
  const asRoot = (command: string): string => etcdctl(access, command, 'root')
  return [
    asRoot('role add flannel'),
    asRoot(`role grant-permission flannel --prefix=true readwrite ${quoted(`${access.prefix}/`)}`),
    asRoot(`user grant-role ${nameOf(access)} flannel`),
  ]
}

/** What each cause is in a sentence, and what puts it right. */
export const REMEDIES: Readonly<Record<StoreCause, Remedy>> = {
  'etcd-not-named': {
    summary: ({ access }) =>
      `nobody says where etcd is, and nothing answers at the default, ${access.endpoints.join(' or ')}`,
    cure: () => [
      changeFlag('FLANNELD_ETCD_ENDPOINTS', 'http://ADDRESS:2379'),
      'to look at another etcd without that: flanneld doctor --etcd-endpoints=http://ADDRESS:2379',
      'if etcd is to run on this host: systemctl start etcd',
      'in a cluster of Kubernetes: flanneld doctor --kube-subnet-mgr --kubeconfig-file=FILE',
    ],
  },
  'etcd-refused': {
    summary: ({ url }) => `nothing listens at ${url}, where --etcd-endpoints says that etcd is`,
    cure: ({ url, access }) => {
      const { host, port } = placeOf(url)
      return [
        `on ${host}: systemctl start etcd`,
        `on ${host}: ss -ltn sport = :${port} (127.0.0.1 alone: in /etc/default/etcd ETCD_LISTEN_CLIENT_URLS=${new URL(url).protocol}//0.0.0.0:${port}, then systemctl restart etcd)`,
        `if etcd is elsewhere, ${changeFlag('FLANNELD_ETCD_ENDPOINTS', 'http://ADDRESS:2379')} (now: ${access.endpoints.join(',')})`,
      ]
    },
  },
  'etcd-unreachable': {
    summary: ({ url, fault }) =>
      fault.root === 'ENETUNREACH'
        ? `no route of this host leads to ${url}: an interface that is down or has no address, or a default route that is missing`
        : `nobody answers at ${url}: a host that is down, a wrong address, or a firewall in between`,
    cure: ({ url, fault }) => {
      const { host, port } = placeOf(url)
      const elsewhere = `if etcd is elsewhere, ${changeFlag('FLANNELD_ETCD_ENDPOINTS', 'http://ADDRESS:2379')}`
      if (fault.root === 'ENETUNREACH') return [`ip route get ${host}; ip address; ip route`, elsewhere]
      return [
        `ping -c 3 ${host}; ip route get ${host}`,
        `on ${host}: let ${port}/tcp in, such as nft insert rule inet filter input tcp dport ${port} accept`,
        elsewhere,
      ]
    },
  },
  'etcd-name-unknown': {
    summary: ({ url }) => `the name ${placeOf(url).host} in --etcd-endpoints has no address`,
    cure: ({ url }) => {
      const { host } = placeOf(url)
      return [
        `getent hosts ${host}; cat /etc/resolv.conf`,
        `write the address instead: ${changeFlag('FLANNELD_ETCD_ENDPOINTS', url.replace(host, 'ADDRESS'))}, or add ADDRESS ${host} to /etc/hosts`,
      ]
    },
  },
  'etcd-wants-tls': {
    summary: ({ url }) => `etcd speaks TLS at ${url}, and --etcd-endpoints says http://`,
    cure: ({ url }) => [
      `${changeFlag('FLANNELD_ETCD_ENDPOINTS', otherScheme(url))}, with FLANNELD_ETCD_CAFILE (and FLANNELD_ETCD_CERTFILE, FLANNELD_ETCD_KEYFILE where etcd asks for certificates)`,
    ],
  },
  'etcd-speaks-no-tls': {
    summary: ({ url }) => `etcd speaks no TLS at ${url}, and --etcd-endpoints says https://`,
    cure: ({ url }) => [
      `${changeFlag('FLANNELD_ETCD_ENDPOINTS', otherScheme(url))}, without FLANNELD_ETCD_CAFILE, FLANNELD_ETCD_CERTFILE and FLANNELD_ETCD_KEYFILE; or give etcd certificates (--cert-file, --key-file and https:// in its ETCD_LISTEN_CLIENT_URLS)`,
    ],
  },
  'etcd-v2-only': {
    summary: ({ url, fault }) =>
      `the etcd at ${url} has no API v3 (${fault.root ?? ''}), which is all that the agent speaks`,
    cure: () => ['upgrade etcd to 3.3 or later; docs/coming-from-flannel.md says how the keys of v2 come along'],
  },
  'etcd-is-not-there': {
    summary: ({ url }) => `what answers at ${url} is no etcd with the API v3, or a proxy that lets no HTTP/2 through`,
    cure: ({ url }) => {
      const { host, port } = placeOf(url)
      return [
        `curl -v ${url}/version (an etcd says "etcdserver"); on ${host}: ss -ltnp sport = :${port}`,
        changeFlag('FLANNELD_ETCD_ENDPOINTS', `${new URL(url).protocol}//ADDRESS:2379`),
      ]
    },
  },
  'etcd-certificate-untrusted': {
    summary: ({ url, access }) =>
      `the certificate of ${url} is not signed by the CA that is trusted here (${FILES.ca}: ${shown(access.caFile)})`,
    cure: ({ url, access }) => [
      `${certificateOf(url)} (its issuer)${access.caFile === undefined ? '' : `; openssl x509 -in ${quoted(access.caFile)} -noout -subject -dates (the CA here)`}`,
      `bring the CA that signed it to ${access.caFile ?? 'a file, and name that in FLANNELD_ETCD_CAFILE'}; the agent reads it again for the next connection`,
    ],
  },
  'etcd-certificate-name': {
    summary: ({ url }) => `the certificate of ${url} is not for the name ${placeOf(url).host}`,
    cure: ({ url }) => [
      `${certificateOf(url)} (the names it is for)`,
      `${changeFlag('FLANNELD_ETCD_ENDPOINTS', 'https://NAME_OF_THE_CERTIFICATE:2379')}, or a certificate for etcd with subjectAltName ${/^[\d.]+$|:/.test(placeOf(url).host) ? 'IP' : 'DNS'}:${placeOf(url).host}`,
    ],
  },
  'etcd-certificate-expired': {
    summary: ({ url }) => `the certificate of ${url} has expired`,
    cure: ({ url }) => [
      certificateOf(url),
      `on ${placeOf(url).host}: renew the certificate in --cert-file, then systemctl restart etcd (date there and here: a clock that is ahead looks the same)`,
    ],
  },
  'etcd-certificate-not-yet-valid': {
    summary: ({ url }) => `a certificate between this host and ${url} is not valid yet, by the clock of one of the two`,
    cure: ({ url }) => [
      `date; ${certificateOf(url)}`,
      'timedatectl set-ntp true (or systemctl restart chronyd) on the host whose clock is wrong',
    ],
  },
  'own-certificate-refused': {
    summary: ({ url, access }) =>
      access.certFile === undefined
        ? `etcd at ${url} wants a certificate of this host, and there is none (${FILES.cert}, ${FILES.key})`
        : `etcd at ${url} refuses the certificate of this host, ${access.certFile} (${FILES.cert})`,
    cure: ({ access }) => [
      access.certFile === undefined
        ? changeFlag('FLANNELD_ETCD_CERTFILE', 'FILE and FLANNELD_ETCD_KEYFILE=FILE')
        : `openssl x509 -in ${quoted(access.certFile)} -noout -subject -issuer -dates -purpose`,
      'a certificate for clients (extendedKeyUsage clientAuth), signed by the CA in --trusted-ca-file of etcd',
    ],
  },
  'own-certificate-expired': {
    summary: ({ access }) =>
      `the certificate of this host, ${access.certFile ?? FILES.cert}, has expired: etcd refuses it`,
    cure: ({ access }) => [
      `openssl x509 -in ${quoted(access.certFile ?? FILES.cert)} -noout -dates`,
      'renew it in its place; the agent reads it again for the next connection',
    ],
  },
  'ca-expired': {
    summary: ({ access }) => `the CA in ${FILES.ca}, ${shown(access.caFile)}, has expired`,
    cure: ({ access }) => [
      `openssl x509 -in ${quoted(access.caFile ?? FILES.ca)} -noout -dates`,
      'a new CA, certificates signed by it for etcd and its clients, and the new CA in that file; the agent reads it again for the next connection',
    ],
  },
  'certificate-files': {
    summary: ({ fault }) =>
      `the files of certificates and keys for etcd cannot be used: ${fault.says.replace(/^connect: /, '')}`,
    cure: () => ['bring the file that is named; the agent waits for it, and reads it again by itself'],
  },
  'etcd-password': {
    summary: ({ access, url }) => `etcd at ${url} refuses the password of ${userOf(access)}`,
    cure: ({ access }) => [
      `${etcdctl(access, 'endpoint health')} (asks for the password, and says whether it is right)`,
      changeFlag('FLANNELD_ETCD_PASSWORD', 'PASSWORD'),
      `or a new one in etcd: ${etcdctl(access, `user passwd ${nameOf(access)}`, 'root')}`,
    ],
  },
  'etcd-wants-user': {
    summary: ({ url }) => `etcd at ${url} wants a user and a password (auth is enabled), and the agent has none`,
    cure: ({ access }) => [
      changeFlag('FLANNELD_ETCD_USERNAME', 'flannel and FLANNELD_ETCD_PASSWORD=PASSWORD'),
      `a user that may: ${etcdctl(access, 'user add flannel', 'root')}`,
      ...grants({ ...access, user: 'flannel' }),
    ],
  },
  'etcd-role': {
    summary: ({ access, fault }) =>
      `${userOf(access)} may not ${READS.has(fault.op ?? '') ? 'read' : 'write'} below ${access.prefix}/ in etcd: no role of it permits that`,
    cure: ({ access }) => [
      `${etcdctl(access, `user get ${nameOf(access)} --detail`, 'root')} (what it may now)`,
      ...grants(access),
    ],
  },
  'etcd-full': {
    summary: ({ url }) => `the database of etcd at ${url} is full: it takes no writes`,
    cure: ({ access }) => [
      etcdctl(access, 'endpoint status --write-out=table'),
      `${etcdctl(access, 'compact REVISION')}; ${etcdctl(access, 'defrag')}; ${etcdctl(access, 'alarm disarm')}`,
      'or a larger --quota-backend-bytes of etcd',
    ],
  },
  'etcd-without-leader': {
    summary: ({ url }) =>
      `etcd at ${url} takes connections and does not answer: no leader, most members away, or a disk that is too slow`,
    cure: ({ access }) => [
      etcdctl(access, 'endpoint status --cluster --write-out=table'),
      etcdctl(access, 'endpoint health --cluster'),
      `on the hosts of etcd: systemctl status etcd; journalctl -u etcd -n 50`,
    ],
  },
}

/** What asks without changing anything, by the names of the port. */
const READS: ReadonlySet<string> = new Set(['readConfig', 'list', 'watch', 'watchConfig', 'challenges', 'authenticate'])
