import type { ConfigurationStatus, FaultStatus } from '../../status/document.ts'
import type { Finding } from '../finding.ts'
import type { StoreAccess, StoreFacts } from '../store-facts.ts'
import { quoted } from '../../text/quoted.ts'
import { etcdctl } from './etcdctl.ts'

const keyOf = ({ prefix }: StoreAccess): string => `${prefix}/config`

/** There is no configuration; where one looks as if it were meant, it is named. Pure. */
export function missingConfiguration(
  access: StoreAccess,
  { elsewhere, elsewhereV2 }: Pick<StoreFacts, 'elsewhere' | 'elsewhereV2'>,
): Finding {
  const key = keyOf(access)
  return {
    cause: 'configuration-missing',
    severity: 'broken',
    summary: `there is no network configuration in etcd: the key ${key} is missing`,
    evidence: [
      `${etcdctl(access, `get ${quoted(key)}`)} prints nothing`,
      ...elsewhere.map((other) => `there is a key ${other}: another --etcd-prefix may be meant`),
      ...elsewhereV2.map((other) => `API v2 has ${other}, which is another key than that of v3: etcdctl set wrote it`),
    ],
    cure: [
      ...elsewhere.map(
        (other) =>
          `in /etc/default/flanneld: FLANNELD_ETCD_PREFIX=${other.replace(/\/config$/, '')}, then systemctl restart flanneld`,
      ),
      elsewhere.length === 0
        ? etcdctl(access, `put ${quoted(key)} '{"Network":"10.15.0.0/16","Backend":{"Type":"vxlan"}}'`)
        : `or the same here: ${etcdctl(access, `put ${quoted(key)} "$(${etcdctl(access, `get --print-value-only ${quoted(elsewhere[0] ?? '')}`)})"`)}`,
    ],
  }
}

/** What is written cannot be used. @param inForce whether an earlier one is, so that only what starts now waits. Pure. */
export function invalidConfiguration(access: StoreAccess, fault: FaultStatus, inForce: boolean): Finding {
  const key = keyOf(access)
  return {
    cause: 'configuration-invalid',
    severity: inForce ? 'risk' : 'broken',
    summary: `the network configuration in etcd cannot be used${inForce ? ' (the former one stays in force until the agent is started again)' : ''}: ${fault.says}`,
    evidence: [`${etcdctl(access, `get --print-value-only ${quoted(key)}`)} shows it`, fault.says],
    cure: [
      `flanneld config get > net.json, correct ${fault.target === key ? 'it' : (fault.target ?? 'it')}, flanneld config validate net.json, flanneld config set net.json`,
      `without flanneld: ${etcdctl(access, `put ${quoted(key)} '{"Network":"10.15.0.0/16","Backend":{"Type":"vxlan"}}'`)}`,
    ],
  }
}

/** What stands in the store waits for a restart. Pure. */
export function waitingConfiguration({ source, waitsForRestart }: ConfigurationStatus): readonly Finding[] {
  if (waitsForRestart.length === 0) return []
  return [
    {
      cause: 'restart-needed',
      severity: 'risk',
      summary: `the configuration in ${source} is not all in force here: ${waitsForRestart.join('; ')}`,
      evidence: waitsForRestart.map((change) => `flanneld status: waits for a restart: ${change}`),
      cure: [
        'systemctl restart flanneld, on every host, when it suits: hosts of different configurations may not reach each other',
      ],
      explains: ['network configuration'],
    },
  ]
}
