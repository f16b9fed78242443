import { ConfigError } from '../../config/error.ts'
import { parseNetworkConfig } from '../../config/network.ts'
import type { KubeAccess } from '../../config/options.ts'
import { StoreError } from '../../lease/store.ts'
import type { FaultStatus } from '../../status/document.ts'
import { faultOf } from '../../status/fault.ts'
import { ANSWER_WITHIN_MS, type KubeFacts, type KubeReads, type NodeSeen } from '../kube-facts.ts'
import { once } from './once.ts'

/** What is asked of an API server for this. All calls reject with `StoreError`. */
export interface AskedNodes {
  readonly url: string
  read(name: string, signal: AbortSignal): Promise<(NodeSeen & { readonly podCidrs: readonly string[] }) | undefined>
  list(signal: AbortSignal): Promise<unknown>
  missingRights(signal: AbortSignal): Promise<KubeFacts['missingRights']>
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
  server: serverOf(input.access),
  askBriefly: once(async () => ({ ...(await nodesFor(input, askOwn)), ...(await configurationFor(input)) })),
  ask: once(async () => ({ ...(await nodesFor(input, askAll)), ...(await configurationFor(input)) })),
  nodes: (names) => nodesNamed(input, names),
})

async function nodesNamed(input: KubeReadsInput, names: readonly string[]): Promise<ReadonlyMap<string, NodeSeen>> {
  const { signal } = input
  const read = (nodes: AskedNodes): Promise<ReadonlyMap<string, NodeSeen>> =>
    within({ op: 'Nodes', ms: ANSWER_WITHIN_MS }, nodes, signal, async (stop) => {
      const all = await Promise.all(names.map(async (name) => ({ name, node: await nodes.read(name, stop) })))
      return new Map(all.flatMap(({ name, node }) => (node === undefined ? [] : [[name, node] as const])))
    })
  try {
    return await input.withNodes(read)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof ConfigError || error instanceof StoreError) return new Map()
    throw error
  }
}

function serverOf({ apiUrl, kubeconfigFile }: KubeAccess): string {
  if (apiUrl !== undefined) return '--kube-api-url'
  if (kubeconfigFile !== undefined) return `server: of the current context in ${kubeconfigFile} (--kubeconfig-file)`
  return 'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT in the environment of the pod'
}

type OfNodes = Omit<KubeFacts, 'configuration' | 'invalid'>
type Ask = (nodes: AskedNodes, input: KubeReadsInput) => Promise<OfNodes>

const NOTHING: OfNodes = {
  ...{ refused: undefined, reading: undefined, missingRights: [], node: undefined, nodeName: undefined },
}
/** A list of thousands of Nodes takes longer than one; a check has eight seconds. */
const LIST_WITHIN_MS = 4_000

async function nodesFor(input: KubeReadsInput, ask: Ask): Promise<OfNodes> {
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

/** @throws {StoreError} `DEADLINE_EXCEEDED` where there is no answer within these milliseconds */
async function within<T>(
  { op, ms }: { readonly op: string; readonly ms: number },
  { url }: AskedNodes,
  signal: AbortSignal,
  call: (stop: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = AbortSignal.timeout(ms)
  try {
    return await call(AbortSignal.any([signal, late]))
  } catch (cause) {
    if (!late.aborted) throw cause
    const message = `${op} at ${url}: no answer within ${ms / 1_000} s`
    throw new StoreError({ op, code: 'DEADLINE_EXCEEDED', retryable: true, message, url, cause })
  }
}

const askOwn: Ask = (nodes, { access, signal }) =>
  within({ op: 'our Node', ms: ANSWER_WITHIN_MS }, nodes, signal, async (stop) => {
    const { nodeName, pod } = access
    const name = nodeName ?? (pod && (await nodes.nodeOfPod(pod.namespace, pod.name, stop)))
    if (name === undefined) return NOTHING
    const node = (await nodes.read(name, stop)) ?? null
    return { ...NOTHING, nodeName: name, node, missingRights: await rightsOrNone(nodes, stop) }
  })

/** A cluster may forbid the question; whether our Node can be read is known without it. */
async function rightsOrNone(nodes: AskedNodes, stop: AbortSignal): Promise<KubeFacts['missingRights']> {
  try {
    return await nodes.missingRights(stop)
  } catch (error) {
    if (error instanceof StoreError) return []
    throw error
  }
}

/** Our own first, which tells soon whether anybody answers; and whether all may be listed. */
async function askAll(nodes: AskedNodes, input: KubeReadsInput): Promise<OfNodes> {
  const found = await askOwn(nodes, input)
  await within({ op: 'list of Nodes', ms: LIST_WITHIN_MS }, nodes, input.signal, (stop) => nodes.list(stop))
  return found
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
