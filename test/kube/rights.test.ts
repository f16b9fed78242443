import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/host/system-clock.ts'
import type { NodeStore } from '../../src/kube/nodes/node-store.ts'
import { openKube } from '../../src/kube/open-kube.ts'
import { StoreError } from '../../src/lease/store.ts'
import { EtcdCluster } from '../lab/etcd-process.ts'
import { objectAt, objectsAt, parseObject, textAt, textsAt, type JsonObject } from '../lab/json.ts'
import { waitFor } from '../lab/wait-for.ts'
import { ApiServer } from './server/api-server.ts'
import { objectsOf } from './server/manifest.ts'
import { kubePrograms } from './server/programs.ts'

const MANIFEST = join(import.meta.dirname, '../../packaging/kubernetes/kube-flannel.yml')
const NODE = 'host-zero'
const NAMESPACE = 'default'
const programs = await kubePrograms()

interface Right {
  readonly resource: string
  readonly verb: string
}
const nameOf = ({ resource, verb }: Right): string => `${verb} ${resource}`

/** All that the agent asks of the API server, by the right that it takes and what it is for. */
const ASKED: readonly (Right & {
  readonly what: string
  readonly ask: (store: NodeStore, position: string) => Promise<unknown>
})[] = [
  { verb: 'get', resource: 'nodes', what: 'reads its own Node', ask: (store) => store.read(NODE, soon()) },
  { verb: 'list', resource: 'nodes', what: 'finds its peers', ask: (store) => store.list(soon()) },
  { verb: 'watch', resource: 'nodes', what: 'hears of changes', ask: (store, position) => firstOf(store, position) },
  {
    ...{ verb: 'patch', resource: 'nodes/status', what: 'says where it is, and that it is there' },
    ask: (store) =>
      store.patch(NODE, { annotations: { 'public-ip': '192.0.2.1' }, networkAvailableSinceMs: 1 }, soon()),
  },
]

const soon = (): AbortSignal => AbortSignal.timeout(20_000)

/** The first change after that position, or what the watch could not be had for. */
async function firstOf(store: NodeStore, position: string): Promise<void> {
  const stop = new AbortController()
  let refusal: StoreError | undefined
  const status = {
    onDisconnected: (error: StoreError) => {
      refusal = error
      stop.abort()
    },
  }
  for await (const event of store.watch(position, AbortSignal.any([stop.signal, soon()]), status))
    if (event.kind === 'changes') return
  throw refusal ?? new Error('no change came')
}

/** What stands in a ClusterRole, right by right. */
const rightsIn = (role: JsonObject): readonly Right[] =>
  objectsAt(role, 'rules').flatMap((rule) =>
    textsAt(rule, 'resources').flatMap((resource) => textsAt(rule, 'verbs').map((verb) => ({ resource, verb }))),
  )

const manifest = objectsOf(await readFile(MANIFEST, 'utf8'))
const granted = rightsIn(manifest.find(({ kind }) => kind === 'ClusterRole') ?? {})

describe('the rights of the manifest', () => {
  test('are those that the agent asks for, and no more', () => {
    expect(granted.map(nameOf).sort()).toEqual(ASKED.map(nameOf).sort())
  })

  test('are those of the account that its pods have', () => {
    const binding = manifest.find(({ kind }) => kind === 'ClusterRoleBinding') ?? {}
    const subject = { kind: 'ServiceAccount', name: 'flannel', namespace: 'kube-flannel' }
    expect([objectAt(binding, 'roleRef')['name'], objectsAt(binding, 'subjects')]).toEqual(['flannel', [subject]])
  })
})

describe.skipIf(typeof programs === 'string')('the rights of the manifest, on a real API server', () => {
  let etcd: EtcdCluster | undefined
  let server: ApiServer | undefined
  let position = ''
  const stores: NodeStore[] = []

  const api = (): ApiServer => {
    if (server === undefined) throw new Error('there is no API server')
    return server
  }

  /** What an agent with these rights cannot do, by the right that it lacks. */
  const lacking = async (store: NodeStore): Promise<readonly string[]> => {
    const failures = await Promise.all(
      ASKED.map(async (asked) => {
        try {
          await asked.ask(store, position)
          return []
        } catch (error) {
          if (!(error instanceof StoreError) || error.code !== 'PERMISSION_DENIED') throw error
          // It says itself which line is missing.
          expect(error.message).toContain(`resources: [${asked.resource}], verbs: [${asked.verb}]`)
          return [nameOf(asked)]
        }
      }),
    )
    return failures.flat()
  }

  /** An agent whose service account has these rights. */
  const agentWith = async (name: string, rights: readonly Right[]): Promise<NodeStore> => {
    const rules = rights.map(({ resource, verb }) => ({ apiGroups: [''], resources: [resource], verbs: [verb] }))
    const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name } }
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name }
    const subjects = [{ kind: 'ServiceAccount', name, namespace: NAMESPACE }]
    const items = [
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: NAMESPACE } },
      { ...rbac, kind: 'ClusterRole', rules },
      { ...rbac, kind: 'ClusterRoleBinding', roleRef, subjects },
    ]
    await api().kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
    const kubeconfigFile = api().kubeconfig(await api().tokenOf(NAMESPACE, name))
    const access = { kubeconfigFile, nodeName: NODE, netConfigPath: '', setsNetworkAvailable: true }
    const store = openKube(
      { ...access, annotationPrefix: 'flannel.alpha.coreos.com/' },
      { clock: systemClock, random: Math.random, environment: {} },
    )
    stores.push(store)
    return store
  }

  beforeAll(async () => {
    if (typeof programs === 'string') return
    etcd = await EtcdCluster.start()
    server = await ApiServer.start({ program: programs.apiServer, etcd: etcd.endpoints })
    const nodes = parseObject(await server.kubectl(['get', '--raw=/api/v1/nodes']))
    position = textAt(objectAt(nodes, 'metadata'), 'resourceVersion') ?? ''
    // What a watch from that position begins with.
    await server.addNode(NODE, ['10.244.0.0/24'])
  })
  afterAll(async () => {
    for (const store of stores) store.close()
    await server?.close()
    await etcd?.close()
  })

  test('are enough', async () => {
    const store = await agentWith('whole', granted)
    // A role is known to the server a moment after it is made.
    await waitFor('all to be allowed', async () => (await lacking(store)).length === 0)
    const { annotations, isNetworkAvailable } = (await store.read(NODE, soon())) ?? {}
    expect([annotations?.['public-ip'], isNetworkAvailable]).toEqual(['192.0.2.1', true])
  })

  test.each(ASKED.map((asked) => [nameOf(asked), asked.what, asked] as const))(
    'without %s it no longer %s, and does everything else',
    async (name, _, { verb, resource }) => {
      const others = granted.filter((right) => right.verb !== verb || right.resource !== resource)
      const store = await agentWith(`without-${verb}`, others)
      await waitFor(`${name} alone to be refused`, async () => (await lacking(store)).join() === name)
    },
  )

  test('do not let it find its Node by its pod, nor change what is not its own', async () => {
    const store = await agentWith('curious', granted)
    await waitFor('all to be allowed', async () => (await lacking(store)).length === 0)
    await expect(store.nodeOfPod(NAMESPACE, 'kube-flannel-ds-x', soon())).rejects.toThrow(
      'resources: [pods], verbs: [get]',
    )
    const token = await api().tokenOf(NAMESPACE, 'curious')
    const refused = [
      ['patch', 'node', NODE, '-p', '{"spec":{"unschedulable":true}}'],
      ['delete', 'node', NODE],
      ['get', 'secrets', '-A'],
      ['get', 'configmaps', '-A'],
    ]
    for (const line of refused) expect((await api().attempt(line, undefined, token)).stderr).toContain('(Forbidden)')
  })
})
