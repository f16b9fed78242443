import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { EtcdCluster } from '../lab/etcd-process.ts'
import { objectAt, objectsAt, parseObject, textAt, type JsonObject } from '../lab/json.ts'
import { ApiServer } from './server/api-server.ts'
import { objectsOf } from './server/manifest.ts'
import { kubePrograms } from './server/programs.ts'

const MANIFEST = join(import.meta.dirname, '../../packaging/kubernetes/kube-flannel.yml')
const NAMESPACE = 'kube-flannel'
const programs = await kubePrograms()

/** Where objects of a kind are made (Kubernetes API, resource paths). */
const PATHS: Readonly<Record<string, string>> = {
  Namespace: '/api/v1/namespaces',
  ServiceAccount: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`,
  ConfigMap: `/api/v1/namespaces/${NAMESPACE}/configmaps`,
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  DaemonSet: `/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets`,
}

describe.skipIf(typeof programs === 'string')('the manifest, on a real API server', () => {
  let etcd: EtcdCluster | undefined
  let server: ApiServer | undefined
  let text = ''
  let objects: readonly JsonObject[] = []

  const api = (): ApiServer => {
    if (server === undefined) throw new Error('there is no API server')
    return server
  }
  const of = (kind: string): JsonObject => {
    const found = objects.find((object) => object['kind'] === kind)
    if (found === undefined) throw new Error(`there is no ${kind}`)
    return found
  }
  const post = (path: string, object: object) =>
    api().attempt(['create', `--raw=${path}?fieldValidation=Strict&dryRun=All`, '-f', '-'], JSON.stringify(object))
  /** A pod as the controller makes it for a node. */
  const pod = (namespace: string): object => {
    const template = objectAt(objectAt(of('DaemonSet'), 'spec'), 'template')
    const metadata = { name: 'kube-flannel-ds-x', namespace, labels: objectAt(template, 'metadata')['labels'] }
    return { apiVersion: 'v1', kind: 'Pod', metadata, spec: template['spec'] }
  }
  const makePod = (namespace: string) => post(`/api/v1/namespaces/${namespace}/pods`, pod(namespace))

  beforeAll(async () => {
    if (typeof programs === 'string') return
    text = await readFile(MANIFEST, 'utf8')
    objects = objectsOf(text)
    etcd = await EtcdCluster.start()
    server = await ApiServer.start({ program: programs.apiServer, etcd: etcd.endpoints })
    await server.kubectl(['apply', '-f', MANIFEST])
  })
  beforeEach(({ onTestFailed }) => {
    onTestFailed(() => {
      process.stderr.write(server?.log().slice(-3_000) ?? '')
    })
  })
  afterAll(async () => {
    await server?.close()
    await etcd?.close()
  })

  test('is taken as it stands, and taken again changes nothing', async () => {
    const again = (await api().kubectl(['apply', '-f', MANIFEST])).trim().split('\n')
    expect(again.filter((line) => !line.endsWith(' unchanged'))).toEqual([])
    expect(again).toHaveLength(objects.length)
  })

  test('has no field that the server does not know, or would read otherwise', async () => {
    for (const object of objects) {
      const { name } = objectAt(object, 'metadata')
      const path = PATHS[textAt(object, 'kind') ?? ''] ?? ''
      // Under another name: what is there already is refused before it is read.
      const other = { ...object, metadata: { ...objectAt(object, 'metadata'), name: `${String(name)}-other` } }
      const { code, stderr } = await post(path, other)
      expect([name, code, stderr]).toEqual([name, 0, ''])
    }
    const wrong = { ...of('ConfigMap'), metadata: { name: 'other', namespace: NAMESPACE }, Data: {} }
    expect((await post(PATHS['ConfigMap'] ?? '', wrong)).stderr).toContain('unknown field "Data"')
  })

  test("takes the place of upstream's DaemonSet under the same name", async () => {
    await api().kubectl(['delete', 'daemonset', 'kube-flannel-ds', '-n', NAMESPACE])
    const labels = { app: 'flannel', 'k8s-app': 'flannel', tier: 'node' }
    const metadata = { name: 'kube-flannel-ds', namespace: NAMESPACE, labels }
    const containers = [{ name: 'kube-flannel', image: 'flannel:v0', command: ['/opt/bin/flanneld'] }]
    const template = { metadata: { labels }, spec: { hostNetwork: true, containers } }
    const selector = { matchLabels: { app: 'flannel', 'k8s-app': 'flannel' } }
    const former = { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata, spec: { selector, template } }
    await api().kubectl(['apply', '-f', '-'], JSON.stringify(former))
    await api().kubectl(['apply', '-f', MANIFEST])
    const found = parseObject(
      await api().kubectl(['get', 'daemonset', 'kube-flannel-ds', '-n', NAMESPACE, '-o', 'json']),
    )
    const spec = objectAt(objectAt(objectAt(found, 'spec'), 'template'), 'spec')
    const [container = {}] = objectsAt(spec, 'containers')
    // What the former one ran is gone with it: the image knows what it runs.
    expect([spec['serviceAccountName'], container['command']]).toEqual(['flannel', undefined])
    expect(container['image']).toMatch(/^flannel-agent:/)
  })

  test('lets its pods in where its own namespace does, and nowhere else', async () => {
    expect((await makePod(NAMESPACE)).stderr).toBe('')
    const other = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } }
    const labels = { 'pod-security.kubernetes.io/enforce': 'baseline' }
    await api().kubectl(['apply', '-f', '-'], JSON.stringify({ ...other, metadata: { ...other.metadata, labels } }))
    await api().kubectl(['create', 'serviceaccount', 'flannel', '-n', 'other'])
    const { code, stderr } = await makePod('other')
    expect(code).not.toBe(0)
    // All that Pod Security has against it (Pod Security Standards, baseline): it asks for no more.
    expect(stderr.replace(/^.*PodSecurity "baseline:[^"]*": /s, '').trim()).toBe(
      'non-default capabilities (container "kube-flannel" must not include "NET_ADMIN", "NET_RAW" in securityContext.capabilities.add), host namespaces (hostNetwork=true), hostPath volumes (volumes "run", "cni-plugin", "cni", "xtables-lock"), probe or lifecycle host (container "kube-flannel" uses probe or lifecycle host "127.0.0.1"), seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t")',
    )
  })
})
