import type { Verdict } from './rule-set.ts'

/** Targets of iptables that decide nothing. */
const HARMLESS: ReadonlySet<string> = new Set(
  'LOG NFLOG ULOG MARK CONNMARK TRACE NOTRACK CT AUDIT TCPMSS CHECKSUM CLASSIFY DSCP TOS TTL HL SET CONNSECMARK SECMARK'.split(
    ' ',
  ),
)

const DECIDING: Readonly<Record<string, Verdict>> = {
  ACCEPT: { is: 'accept' },
  DROP: { is: 'drop' },
  REJECT: { is: 'drop' },
  RETURN: { is: 'return' },
  MASQUERADE: { is: 'nat' },
  SNAT: { is: 'nat' },
  NETMAP: { is: 'nat' },
}

/** What becomes of a packet that goes to this target of iptables, which is no chain. */
export const targetVerdict = (target: string): Verdict =>
  DECIDING[target] ?? { is: target === '' || HARMLESS.has(target) ? 'none' : 'unknown' }
