import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import protobuf from 'protobufjs'

const CALL = /loadSync\)\(`\$\{__dirname\}\/\.\.\/proto\/rpc\.proto`/

/**
 * etcd3 reads and parses .proto files beside it whenever it is imported. In a bundle there are none: this writes the parsed
 * descriptor into the call, as JSON without comments, which is faster too.
 */
export const etcd3Protos = {
  name: 'etcd3-protos',
  setup(build) {
    build.onLoad({ filter: /[\\/]etcd3[\\/]lib[\\/]connection-pool\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8')
      if (!CALL.test(source)) throw new Error(`${path} no longer loads rpc.proto as this plugin knows it`)
      const proto = join(dirname(path), '../proto/rpc.proto')
      const root = new protobuf.Root().loadSync(proto, { keepCase: true })
      const descriptor = JSON.stringify(root.toJSON({ keepComments: false }))
      return { contents: source.replace(CALL, () => `fromJSON)(${descriptor}`), loader: 'js' }
    })
  },
}
