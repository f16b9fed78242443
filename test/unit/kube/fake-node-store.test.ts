import { systemClock } from '../../../src/host/system-clock.ts'
import { CredentialFiles } from '../../../src/kube/client/credentials.ts'
import { KubeClient } from '../../../src/kube/client/kube-client.ts'
import { KubeNodeStore } from '../../../src/kube/kube-node-store.ts'
import { ANNOTATION_PREFIX, nodeStoreContract } from '../../contract/node-store-contract.ts'
import { FakeApiServer } from '../../fake/kube/fake-api-server.ts'

nodeStoreContract('fake API server', async () => {
  const api = await new FakeApiServer().start()
  const clock = systemClock
  const credentials = new CredentialFiles({ access: { apiUrl: api.url }, environment: {}, clock })
  const client = new KubeClient({ clock, credentials })
  const store = new KubeNodeStore({ client, clock, random: () => 0, annotationPrefix: ANNOTATION_PREFIX, pageSize: 2 })
  return {
    store,
    url: api.url,
    close: async () => {
      store.close()
      await api.stop()
    },
  }
})
