import { describe, expect, test } from 'vitest'
import { showStatus } from '../../../src/show/status.ts'
import { samplePeer, sampleStatus } from '../../fake/status-samples.ts'
import { LOOKS } from './shown.ts'

const REJECTED = { key: '10.15.48.0-20', subnet: '10.15.48.0/20', publicIp: '192.168.9.3', name: 'host-3' }

const headOf = (rows: readonly (typeof REJECTED)[]): readonly string[] => {
  const rejected = { total: rows.length, rows: rows.map((row) => ({ ...row, reason: 'PublicIP is our own' })) }
  return showStatus(sampleStatus([samplePeer(1)], { rejected }), LOOKS)
    .split('\n')
    .slice(0, 2)
}

describe('the first lines of flanneld status', () => {
  test('say that all is well, and ask for nothing', () => {
    expect(headOf([])).toEqual([expect.stringMatching(/^host-zero is ready; its agent is up for /), ''])
  })

  test('do not say so while leases of others are rejected', () => {
    expect(headOf([REJECTED])).toEqual([
      expect.stringMatching(/^host-zero is ready, but 1 lease of others is not used; its agent is up for /),
      'next: flanneld doctor',
    ])
    expect(headOf([REJECTED, REJECTED])[0]).toContain('2 leases of others are not used')
  })
})
