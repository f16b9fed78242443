import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

import protobuf from 'protobufjs'

const rpc = join(dirname(createRequire(import.meta.url).resolve('etcd3/package.json')), 'proto', 'rpc.proto')
const root = new protobuf.Root().loadSync(rpc, { keepCase: true })
root.resolveAll()

/** A service of etcd's, as its .proto file declares it: `KV`, `Watch`, `Lease`. */
export const serviceOf = (name: string): protobuf.Service => root.lookupService(`etcdserverpb.${name}`)
