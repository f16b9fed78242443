import { addressBits, type Family, type Ip } from '../../net/ip.ts'
import { prefixOf, type Prefix } from '../../net/prefix.ts'
import type { RuleState } from '../../kernel/kernel.ts'
import { familyOf, type Attributes, type MessageCursor } from './reader.ts'
import { AF, FIB_RULE_INVERT, FR_ACT, FRA, NLM_F, RTM } from './uapi.ts'
import { ROUTE_TABLES } from './words.ts'
import type { MessageWriter } from './writer.ts'

/** struct fib_rule_hdr (linux/fib_rules.h) */
const HEADER = { family: 0, toLength: 1, fromLength: 2, table: 4, action: 7, flags: 8, size: 12 } as const

const ACTIONS: ReadonlyMap<number, string> = new Map([
  [FR_ACT.GOTO, 'goto'],
  [FR_ACT.NOP, 'nop'],
  [FR_ACT.BLACKHOLE, 'blackhole'],
  [FR_ACT.UNREACHABLE, 'unreachable'],
  [FR_ACT.PROHIBIT, 'prohibit'],
])

/** `ip rule show`. */
export function writeRuleQuery(writer: MessageWriter, family: Family, sequence: number): void {
  writer.begin(RTM.GETRULE, NLM_F.REQUEST | NLM_F.DUMP, sequence)
  writer.u8(family === 4 ? AF.INET : AF.INET6)
  writer.u8(0)
  writer.u16(0)
  writer.u32(0)
  writer.u32(0)
  writer.end()
}

/** A rule out of RTM_NEWRULE or RTM_DELRULE; undefined for families other than IPv4 and IPv6. */
export function readRule(message: MessageCursor): RuleState | undefined {
  const family = familyOf(message.u8(HEADER.family))
  if (family === undefined) return undefined
  const attributes = message.attributes(HEADER.size)
  const action = message.u8(HEADER.action)
  const number = attributes.u32(FRA.TABLE) ?? message.u8(HEADER.table)
  const isOfVrf = (attributes.u8(FRA.L3MDEV) ?? 0) !== 0
  const table = action === FR_ACT.TO_TBL && !isOfVrf ? ROUTE_TABLES.word(number) : undefined
  const lookup = `lookup ${isOfVrf ? '[l3mdev-table]' : (table ?? '')}`
  return {
    family,
    priority: attributes.u32(FRA.PRIORITY) ?? 0,
    from: selector(attributes.ip(FRA.SRC), message.u8(HEADER.fromLength)),
    to: selector(attributes.ip(FRA.DST), message.u8(HEADER.toLength)),
    iif: attributes.text(FRA.IIFNAME),
    oif: attributes.text(FRA.OIFNAME),
    mark: markOf(attributes),
    isInverted: (message.u32(HEADER.flags) & FIB_RULE_INVERT) !== 0,
    table,
    action: action === FR_ACT.TO_TBL ? lookup : (ACTIONS.get(action) ?? `action ${action}`),
  }
}

const selector = (base: Ip | undefined, length: number): Prefix | undefined =>
  base === undefined || length > addressBits(base.family) ? undefined : prefixOf(base, length)

function markOf(attributes: Attributes): RuleState['mark'] {
  const value = attributes.u32(FRA.FWMARK)
  const mask = attributes.u32(FRA.FWMASK)
  return (value ?? 0) === 0 && (mask ?? 0) === 0 ? undefined : { value: value ?? 0, mask: mask ?? 0xffff_ffff }
}
