import type { FaultStatus } from '../../status/document.ts'
import { quoted } from '../../text/quoted.ts'
import type { Finding } from '../finding.ts'
import type { KubeFacts, KubeReads } from '../kube-facts.ts'

/** Why an API server does not do as it is asked. */
type ServerCause =
  'apiserver-unreachable' | 'apiserver-certificate' | 'apiserver-token' | 'apiserver-role' | 'apiserver-busy'

/** Names of Node's TLS (OpenSSL's) for a certificate that is not taken. */
const OF_CERTIFICATE = /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT)/

function causeOf({ code, root }: FaultStatus): ServerCause {
  if (code === 'UNAUTHENTICATED') return 'apiserver-token'
  if (code === 'PERMISSION_DENIED') return 'apiserver-role'
  if (root !== null && OF_CERTIFICATE.test(root)) return 'apiserver-certificate'
  const hasAnswered = root !== null && /^\d{3}$/.test(root)
  return hasAnswered ? 'apiserver-busy' : 'apiserver-unreachable'
}

const SUMMARIES: Readonly<Record<ServerCause, (url: string) => string>> = {
  'apiserver-unreachable': (url) => `the API server ${url} is not reached from here`,
  'apiserver-certificate': (url) => `the certificate of the API server ${url} is not trusted`,
  'apiserver-token': (url) => `the API server ${url} does not know who we are`,
  'apiserver-role': (url) => `the API server ${url} does not let us do what an agent does`,
  'apiserver-busy': (url) => `the API server ${url} answers that it cannot`,
}

/** Where the URL and the flags are from, in words. */
type Origin = Pick<KubeReads, 'from' | 'server'>

const CURES: Readonly<Record<ServerCause, (url: string, origin: Origin) => readonly string[]>> = {
  'apiserver-unreachable': (url, { server }) => [
    `${server} is to be ${url}: kubectl cluster-info, where kubectl works, shows the address and the port`,
    `curl -k ${url}/readyz from this host: an answer of any kind, 401 as well, says that the way is there`,
    'kubectl -n kube-system get pods -l component=kube-apiserver; where the service address is asked: iptables or kube-proxy of this host; --kube-api-url or KUBERNETES_SERVICE_HOST of the pod name a server itself',
  ],
  'apiserver-certificate': () => [
    'the certificate authority in the kubeconfig, or ca.crt of the service account, is to be that of this cluster; timedatectl: is the clock right?',
  ],
  'apiserver-token': () => [
    'kubectl -n kube-flannel create token flannel --duration=8760h gives one, for token, or the file of tokenFile, in the kubeconfig: it is taken up without a restart. A pod is given one by its kubelet: is serviceAccountName of the DaemonSet flannel, and is it an account of this cluster?',
  ],
  'apiserver-role': () => [
    'kubectl apply -f kube-flannel.yml, the ClusterRole and the ClusterRoleBinding of it at least; kubectl auth can-i --list --as=system:serviceaccount:kube-flannel:flannel shows what there is',
  ],
  'apiserver-busy': () => ['kubectl get --raw /readyz?verbose; the log of kube-apiserver, and its etcd'],
}

/** @param seenBy who has seen it */
export function judgeServerFault(fault: FaultStatus, seenBy: string, origin: Origin): Finding {
  if (isOfFile(fault)) return unreadable(fault, seenBy, origin)
  const cause = causeOf(fault)
  const url = fault.url || 'that is meant'
  const [, own] = /\bCure: (.+)$/.exec(fault.says) ?? []
  return {
    cause,
    severity: 'broken',
    summary: SUMMARIES[cause](url),
    evidence: [`${seenBy}: ${fault.says.replace(/\.? ?Cure: .*$/, '')}`, `the flags are those of: ${origin.from}`],
    cure: [...(own === undefined ? [] : [own]), ...withoutTls(url, origin), ...CURES[cause](url, origin)],
  }
}

/** What no request has failed with yet, or none of an agent that runs: its watch goes on until it ends, and what it has written stands. */
export function judgeRights(missing: KubeFacts['missingRights'], origin: Origin): readonly Finding[] {
  if (missing.length === 0) return []
  const names = missing.map(({ verb, resource }) => `${verb} ${resource}`).join(', ')
  return [
    {
      ...{ cause: 'apiserver-role', severity: 'broken' },
      summary: `the API server does not let us do what an agent does: ${names}`,
      evidence: [
        ...missing.map(({ verb, resource }) => `kubectl auth can-i ${verb} ${subresourceOf(resource)}, as we: no`),
        `the flags are those of: ${origin.from}`,
      ],
      cure: CURES['apiserver-role']('', origin),
    },
  ]
}

function subresourceOf(resource: string): string {
  const [name = '', part] = resource.split('/')
  return part === undefined ? name : `${name} --subresource=${part}`
}

/** What is asked without TLS by mistake closes the connection, or says so in its own words. */
const withoutTls = (url: string, { server }: Origin): readonly string[] =>
  url.startsWith('http:') ? [`https:// in the place of http://, in ${server}: API servers speak TLS`] : []

/** Errors of files (errno(3)): nobody was asked, since one that the flags or a kubeconfig name is not to be read. */
const OF_FILES: ReadonlySet<string> = new Set(['ENOENT', 'EACCES', 'ENOTDIR', 'EISDIR', 'EPERM', 'ELOOP', 'unreadable'])

const isOfFile = ({ url, root }: FaultStatus): boolean => !url && root !== null && OF_FILES.has(root)

function unreadable({ says }: FaultStatus, seenBy: string, { from }: Origin): Finding {
  const [, path = 'the file'] = /(\/[^\s,]+)/.exec(says) ?? []
  return {
    cause: 'kubeconfig-unusable',
    severity: 'broken',
    summary: `the API server is not asked: ${path} cannot be read`,
    evidence: [`${seenBy}: ${says}`, `the flags are those of: ${from}`],
    cure: [
      `ls -l ${quoted(path)}: it is to be there, for the user of the agent to read, or another is to be named: --kubeconfig-file, or certificate-authority, client-certificate, client-key and tokenFile in that file. The agent waits for it`,
    ],
  }
}
