import type { IRangeResponse } from 'etcd3'

import type { Caller } from '../client/call.ts'
import { expectAsked, headerOf, type Asked, type Header } from './answer.ts'

/** A range of keys, as etcd is asked for it. */
export interface RangeRequest extends Asked {
  /** As they stood then; now, where not given. */
  readonly revision?: string
  readonly keys_only?: boolean
  readonly sort_target?: 'Mod'
  readonly sort_order?: 'Descend'
}

/** The part of an answer that is used, with its header read. */
export interface RangeAnswer extends Pick<IRangeResponse, 'kvs' | 'count' | 'more'> {
  readonly header: Header
}

/**
 * Reads keys, and takes no answer but to what was asked. Every read whose keys are of use goes through here. Another address is tried where one lies.
 * @throws {StoreError}
 */
export function readRange(
  caller: Caller,
  op: string,
  request: RangeRequest,
  signal: AbortSignal,
): Promise<RangeAnswer> {
  return caller.call(op, signal, async ({ kv }, options) => {
    const answer = await kv.range(request, options)
    const header = headerOf(answer)
    expectAsked(answer, request, request.revision === undefined ? header.revision : BigInt(request.revision))
    return { ...answer, header }
  })
}
