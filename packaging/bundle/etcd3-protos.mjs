import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { serviceDefinitions } from './static-messages.mjs'

const CALL = /\(0, proto_loader_1\.loadSync\)\(`\$\{__dirname\}\/\.\.\/proto\/rpc\.proto`, \{[^}]*\}\)/
const IMPORT = /const proto_loader_1 = require\("@grpc\/proto-loader"\);\n/
/** Ours for the module that is written below. */
const MESSAGES = 'etcd3-messages'

/**
 * etcd3 reads and parses .proto files beside it whenever it is imported, and makes its codecs of them. In a bundle there are no such
 * files, and making codecs is a third of an agent's start: this writes them into the bundle as code. What grpc-js would load .proto files
 * for (channelz, ORCA) is for servers.
 */
export const etcd3Protos = {
  name: 'etcd3-protos',
  setup(build) {
    let proto
    build.onLoad({ filter: /[\\/]etcd3[\\/]lib[\\/]connection-pool\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8')
      if (!CALL.test(source) || !IMPORT.test(source))
        throw new Error(`${path} no longer loads rpc.proto as this plugin knows it`)
      proto = join(dirname(path), '../proto/rpc.proto')
      return { contents: source.replace(IMPORT, '').replace(CALL, `require('${MESSAGES}')`), loader: 'js' }
    })
    build.onResolve({ filter: /^(etcd3-messages|@grpc\/proto-loader)$/ }, ({ path, importer }) => {
      if (path === MESSAGES) return { path, namespace: MESSAGES, pluginData: importer }
      return { path, namespace: 'left-out' }
    })
    build.onLoad({ filter: /^/, namespace: MESSAGES }, ({ pluginData }) => ({
      contents: serviceDefinitions(proto),
      resolveDir: dirname(pluginData),
      loader: 'js',
    }))
    build.onLoad({ filter: /^/, namespace: 'left-out' }, () => ({ contents: '' }))
  },
}
