import { ConfigError } from '../../config/error.ts'
import { parseNetworkConfig } from '../../config/network.ts'
import type { KubeAccess } from '../../config/options.ts'
import { StoreError } from '../../lease/store.ts'
import type { FaultStatus } from '../../status/document.ts'
import { faultOf } from '../../status/fault.ts'
import type { KubeFacts, KubeReads } from '../kube-facts.ts'
import { once } from './once.ts'

/** What is asked of an API server for this. All calls reject with `StoreError`. */
export interface AskedNodes {
  list(
    signal: AbortSignal,
  ): Promise<{ readonly nodes: readonly { readonly name: string; readonly podCidrs: readonly string[] }[] }>
  nodeOfPod(namespace: string, name: string, signal: AbortSignal): Promise<string | undefined>
}

export interface KubeReadsInput {
  readonly access: KubeAccess
  /** Where the flags were found, in words. */
  readonly from: string
  /** Opens the connection, and closes it after. @throws {ConfigError} for a kubeconfig that cannot be followed */
  readonly withNodes: <T>(body: (nodes: AskedNodes) => Promise<T>) => Promise<T>
  /** The text of the configuration's file; undefined: there is none. @throws {ConfigError} */
  readonly readConfiguration: () => Promise<string | undefined>
  readonly signal: AbortSignal
}

/** Asks the API server, for checks of why an agent fares badly with it. */
export const kubeReads = (input: KubeReadsInput): KubeReads => ({
  netConfigPath: input.access.netConfigPath,
  from: input.from,
  ask: once(async () => ({ ...(await nodesFor(input)), ...(await configurationFor(input)) })),
})

type OfNodes = Omit<KubeFacts, 'configuration' | 'invalid'>

const NOTHING: OfNodes = { refused: undefined, reading: undefined, node: undefined, nodeName: undefined }

async function nodesFor(input: KubeReadsInput): Promise<OfNodes> {
  try {
    return await input.withNodes((nodes) => ask(nodes, input))
  } catch (error) {
    input.signal.throwIfAborted()
    const fault = error instanceof Error ? faultOf(error) : undefined
    if (error instanceof ConfigError) return { ...NOTHING, refused: fault }
    if (error instanceof StoreError) return { ...NOTHING, reading: fault }
    throw error
  }
}

async function ask(nodes: AskedNodes, { access, signal }: KubeReadsInput): Promise<OfNodes> {
  const { nodes: all } = await nodes.list(signal)
  const { nodeName, pod } = access
  const name = nodeName ?? (pod && (await nodes.nodeOfPod(pod.namespace, pod.name, signal)))
  if (name === undefined) return NOTHING
  return { ...NOTHING, nodeName: name, node: all.find((node) => node.name === name) ?? null }
}

async function configurationFor({
  access,
  readConfiguration,
}: KubeReadsInput): Promise<Pick<KubeFacts, 'configuration' | 'invalid'>> {
  try {
    const text = await readConfiguration()
    const configuration = text === undefined ? null : parseNetworkConfig(text, access.netConfigPath).overlays
    return { configuration, invalid: undefined }
  } catch (error) {
    const fault: FaultStatus | undefined = error instanceof ConfigError ? faultOf(error) : undefined
    if (fault === undefined) throw error
    return { configuration: undefined, invalid: fault }
  }
}
