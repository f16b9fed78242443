import { join } from 'node:path'
import { nodeBinary } from '../../packaging/executable/node-binary.mjs'
import { npmEnvironment } from './dependencies.mjs'
import { SetupError } from './shell.mjs'

export const runsNode24 = () => process.versions.node.startsWith('24.')

/** Path of the Node 24 that is inside the executable: the second one that everything is tested on. @throws {SetupError} */
export function ensureNode24() {
  try {
    return join(nodeBinary(process.arch, { env: npmEnvironment() }), 'bin/node')
  } catch (error) {
    throw new SetupError(error.message)
  }
}
