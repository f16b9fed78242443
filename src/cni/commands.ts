import { ConfigError } from '../config/error.ts'
import { checkResult, findPlugin, runDelegate, type DelegateAnswer, type DelegateCall } from './delegate.ts'
import { delegateConfig, type DelegateConfig } from './delegate-config.ts'
import { CNI_CODES, CniError } from './errors.ts'
import { isObject } from '../config/json.ts'
import { VALID_ATTACHMENTS, type FlannelNetConf } from './netconf.ts'
import { readOverlay } from './overlay.ts'
import { withGateways } from './prev-result.ts'
import type { CniRequest } from './request.ts'
import { SavedConfigs, type Attachment } from './saved-configs.ts'

/** A command of the runtime, with everything that is known of it. */
export interface CniContext {
  readonly request: CniRequest
  readonly netConf: FlannelNetConf
  readonly call: DelegateCall
  /** Tells people, on standard error. */
  readonly remark: (text: string) => void
}

const NOTHING: DelegateAnswer = { kind: 'done', stdout: '' }

/** Saves what the delegate is configured with before it is called: whatever becomes of that, DEL can undo it. */
export async function add({ request, netConf, call }: CniContext): Promise<DelegateAnswer> {
  const config = delegateConfig(netConf, await readOverlay(netConf.subnetFile))
  await findPlugin(config.type, call.path)
  await new SavedConfigs(netConf.dataDir).save(attachmentOf(request, netConf), config)
  const answer = await runDelegate(withPrevResult(config, netConf), call)
  if (answer.kind === 'done') checkResult(config, answer.stdout)
  return answer
}

/** By what was saved at ADD; the subnet file may have gone, or changed. */
export async function del(context: CniContext): Promise<DelegateAnswer> {
  const { request, netConf, call } = context
  const attachment = attachmentOf(request, netConf)
  const saved = new SavedConfigs(netConf.dataDir)
  const found = await saved.load(attachment)
  if (found === undefined) await delUnknown(context)
  else {
    const isSameVersion = found.config['cniVersion'] === netConf.cniVersion
    const answer = await runDelegate(isSameVersion ? withPrevResult(found.config, netConf) : found.config, call)
    if (answer.kind === 'refused') return answer
  }
  await saved.forget(attachment, found?.path)
  return NOTHING
}

/**
 * Nothing was saved, or it was deleted already. What ADD would do now is undone, lest an address stays taken; that there is nothing
 * to undo, or no telling what, is success: the runtime would ask for ever.
 */
async function delUnknown({ netConf, call, remark }: CniContext): Promise<void> {
  try {
    const answer = await runDelegate(delegateConfig(netConf, await readOverlay(netConf.subnetFile)), call)
    if (answer.kind === 'refused') remark(`nothing is known of this container; the delegate says ${answer.stdout}`)
  } catch (error) {
    if (!(error instanceof CniError)) throw error
    remark(`nothing is known of this container: ${error.message} (${error.details})`)
  }
}

export async function check({ request, netConf, call }: CniContext): Promise<DelegateAnswer> {
  const attachment = attachmentOf(request, netConf)
  const found = await new SavedConfigs(netConf.dataDir).load(attachment)
  if (found === undefined)
    throw new CniError(
      CNI_CODES.unknownContainer,
      `container ${attachment.containerId} is unknown`,
      `${netConf.dataDir} has no configuration of its interface ${attachment.ifname} in network ${netConf.name}`,
    )
  const { cniVersion, runtimeConfig, prevResult } = netConf
  const current = {
    ...found.config,
    cniVersion,
    ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
    ...(prevResult === undefined ? {} : { prevResult: withGateways(prevResult) }),
  }
  const answer = await runDelegate(current, call)
  return answer.kind === 'done' ? NOTHING : answer
}

/** Whether ADD would work. */
export async function status({ netConf, call }: CniContext): Promise<DelegateAnswer> {
  const answer = await runDelegate(await currentConfig(netConf, call), call)
  return answer.kind === 'done' ? NOTHING : answer
}

/** @throws {CniError} 50 when ADD has to fail */
async function currentConfig(netConf: FlannelNetConf, call: DelegateCall): Promise<DelegateConfig> {
  try {
    const config = delegateConfig(netConf, await readOverlay(netConf.subnetFile))
    await findPlugin(config.type, call.path)
    return config
  } catch (error) {
    if (!(error instanceof CniError)) throw error
    throw new CniError(CNI_CODES.notAvailable, error.message, error.details)
  }
}

/** Frees what is held for attachments that the runtime does not know any more. */
export async function gc({ netConf, call }: CniContext): Promise<DelegateAnswer> {
  const valid = readValidAttachments(netConf.validAttachments)
  const config = delegateConfig(netConf, await readOverlay(netConf.subnetFile))
  const answer = await runDelegate({ ...config, [VALID_ATTACHMENTS]: netConf.validAttachments }, call)
  if (answer.kind === 'refused') return answer
  await new SavedConfigs(netConf.dataDir).forgetOthers(netConf.name, valid)
  return NOTHING
}

/** @throws {CniError} 7: without the list everything would count as garbage */
function readValidAttachments(value: unknown): readonly Omit<Attachment, 'network'>[] {
  const attachments = Array.isArray(value) ? value.map(readAttachment) : [undefined]
  return attachments.map((attachment) => {
    if (attachment !== undefined) return attachment
    const { message } = new ConfigError(VALID_ATTACHMENTS, 'an array of {"containerID", "ifname"}', value)
    throw new CniError(CNI_CODES.invalidConfig, 'invalid network configuration', message)
  })
}

function readAttachment(value: unknown): Omit<Attachment, 'network'> | undefined {
  if (!isObject(value)) return undefined
  const { containerID: containerId, ifname } = value
  return typeof containerId === 'string' && typeof ifname === 'string' ? { containerId, ifname } : undefined
}

const attachmentOf = ({ containerId, ifname }: CniRequest, { name }: FlannelNetConf): Attachment => ({
  containerId,
  ifname,
  network: name,
})

const withPrevResult = (config: DelegateConfig, { prevResult }: FlannelNetConf): DelegateConfig =>
  prevResult === undefined ? config : { ...config, prevResult }
