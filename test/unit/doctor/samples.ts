import type { Finding } from '../../../src/doctor/finding.ts'

export const finding = (fields: Partial<Finding> = {}): Finding => ({
  cause: 'udp-port-dropped-here',
  severity: 'broken',
  summary: 'dropped',
  evidence: ['nft list ruleset'],
  cure: ['nft delete table inet filter'],
  ...fields,
})
