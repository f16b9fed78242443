import { readFileSync } from 'node:fs'
import { describe } from 'vitest'
import { systemClock } from '../../src/host/system-clock.ts'
import { CredentialFiles } from '../../src/kube/client/credentials.ts'
import { KubeClient } from '../../src/kube/client/kube-client.ts'
import { KubeNodeStore } from '../../src/kube/kube-node-store.ts'
import { ANNOTATION_PREFIX, nodeStoreContract } from '../contract/node-store-contract.ts'
import { EtcdCluster } from '../lab/etcd-process.ts'
import { ApiServer } from './server/api-server.ts'
import { kubePrograms } from './server/programs.ts'

const programs = await kubePrograms()

describe.skipIf(typeof programs === 'string')('on a real API server', () => {
  nodeStoreContract('kube-apiserver', async () => {
    if (typeof programs === 'string') throw new Error(programs)
    const etcd = await EtcdCluster.start()
    const api = await ApiServer.start({ program: programs.apiServer, etcd: etcd.endpoints })
    const clock = systemClock
    const access = { kubeconfigFile: api.kubeconfig(api.adminToken) }
    const client = new KubeClient({ clock, credentials: new CredentialFiles({ access, environment: {}, clock }) })
    const store = new KubeNodeStore({
      client,
      clock,
      random: () => 0,
      annotationPrefix: ANNOTATION_PREFIX,
      pageSize: 2,
    })
    return {
      store,
      url: api.url,
      token: api.adminToken,
      ca: readFileSync(api.caFile),
      close: async () => {
        store.close()
        await api.close()
        await etcd.close()
      },
    }
  })
})
