import type { KernelOp } from '../../kernel/kernel.ts'
import { writeAddressAdd, writeAddressDelete } from './address.ts'
import { EADDRNOTAVAIL, EAFNOSUPPORT, ENODEV, ENOENT, ESRCH } from './errors.ts'
import { writeLinkCreate, writeLinkDelete, writeLinkSet } from './link.ts'
import { writeFdbDelete, writeFdbReplace, writeNeighbourDelete, writeNeighbourReplace } from './neighbour.ts'
import { writeRouteDelete, writeRouteReplace } from './route.ts'
import type { MessageWriter } from './writer.ts'

/** Operations of the port, and giving a new link its alias, which the kernel ignores at creation. */
export type Operation = KernelOp | { readonly op: 'link.alias'; readonly name: string; readonly alias: string }

/** Writes what asks for `op`: one message, or a few under the one sequence number. @throws {MessageTooLong} when it does not fit */
export function writeOperation(writer: MessageWriter, op: Operation, sequence: number): void {
  switch (op.op) {
    case 'neighbour.replace':
      writeNeighbourReplace(writer, op, sequence)
      return
    case 'fdb.replace':
      writeFdbReplace(writer, op, sequence)
      return
    case 'route.replace':
      writeRouteReplace(writer, op, sequence)
      return
    case 'neighbour.delete':
      writeNeighbourDelete(writer, op, sequence)
      return
    case 'fdb.delete':
      writeFdbDelete(writer, op, sequence)
      return
    case 'route.delete':
      writeRouteDelete(writer, op, sequence)
      return
    case 'link.create':
      writeLinkCreate(writer, op.spec, sequence)
      return
    case 'link.alias':
      writeLinkSet(writer, op.name, { alias: op.alias }, sequence)
      return
    case 'link.set':
      writeLinkSet(writer, op.linkIndex, op, sequence)
      return
    case 'link.delete':
      writeLinkDelete(writer, op.linkIndex, sequence)
      return
    case 'address.add':
      writeAddressAdd(writer, op, sequence)
      return
    case 'address.delete':
      writeAddressDelete(writer, op, sequence)
  }
}

/**
 * Errnos that say there is nothing to do. A deletion: the object is gone, or its link with everything on it. A link without IPv6
 * makes no IPv6 addresses, which is all that can be asked of it.
 */
const NOTHING_TO_DO: Partial<Record<Operation['op'], readonly number[]>> = {
  'link.delete': [ENODEV],
  'link.set': [EAFNOSUPPORT],
  'address.delete': [EADDRNOTAVAIL, ENODEV],
  'neighbour.delete': [ENOENT, ENODEV],
  'fdb.delete': [ENOENT, ENODEV],
  'route.delete': [ESRCH, ENODEV],
}

/** Whether a refusal with this errno means that what was asked for is already so. */
export const isAlreadySo = (op: Operation, errno: number): boolean => NOTHING_TO_DO[op.op]?.includes(errno) === true

/** Names a link by its index, for people. */
export type LinkNamer = (index: number) => string

/** The object of an operation, as iproute2 would name it: `10.15.64.0/20 via 10.15.64.0 dev flannel.100 metric 5`. */
export function operationTarget(op: Operation, nameOf: LinkNamer): string {
  switch (op.op) {
    case 'link.create':
      return op.spec.name
    case 'link.alias':
      return op.name
    case 'link.delete':
    case 'link.set':
      return nameOf(op.linkIndex)
    case 'address.add':
    case 'address.delete':
      return `${op.ip.text}/${op.prefixLength} dev ${nameOf(op.linkIndex)}`
    case 'neighbour.replace':
    case 'neighbour.delete':
      return `${op.ip.text} dev ${nameOf(op.linkIndex)}`
    case 'fdb.replace':
      return `${op.mac} dst ${op.remote.text} dev ${nameOf(op.linkIndex)}`
    case 'fdb.delete':
      return `${op.mac} dev ${nameOf(op.linkIndex)}`
    case 'route.replace':
    case 'route.delete':
      return routeTarget(op, nameOf)
  }
}

function routeTarget(op: Extract<KernelOp, { op: 'route.replace' | 'route.delete' }>, nameOf: LinkNamer): string {
  const via = op.gateway && `via ${op.gateway.text}`
  const link = op.linkIndex === undefined ? op.type : `dev ${nameOf(op.linkIndex)}`
  return [op.destination.text, via, link, `metric ${op.metric}`].filter(Boolean).join(' ')
}
