import { describe, expect, it } from 'vitest'
import { decodeNetConf, DEFAULTS, readNetConf } from '../../../src/cni/netconf.ts'

describe('a network configuration that says nothing of files', () => {
  it('means those of upstream', () => {
    const { subnetFile, dataDir } = readNetConf(decodeNetConf('{"cniVersion":"1.0.0","name":"net"}'), DEFAULTS)
    expect([subnetFile, dataDir]).toEqual(['/run/flannel/subnet.env', '/var/lib/cni/flannel'])
  })
})
