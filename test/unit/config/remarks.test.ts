import { describe, expect, it } from 'vitest'
import { parseNetworkConfig } from '../../../src/config/network.ts'
import { remarksOn } from '../../../src/config/remarks.ts'

/** Of a configuration that is taken. */
function remarks(fields: string): readonly string[] {
  const text = `{"Network":"10.0.0.0/8",${fields}}`
  expect(parseNetworkConfig(text).overlays).toHaveLength(1)
  return remarksOn(text, '/config')
}

describe('a configuration that is taken', () => {
  it.each([
    ['"SubnetLen":20.0', '20.0 (SubnetLen)'],
    ['"subnetlen":2e1', '2e1 (SubnetLen)'],
    ['"Backend":{"VNI":1.0E+2}', '1.0E+2 (Backend.VNI)'],
    ['"Comment":"\\"VNI\\":1","SubnetLen":200e-1', '200e-1 (SubnetLen)'],
  ])('with a number as Go does not read it has others named that refuse it: %s', (fields, number) => {
    expect(remarks(fields)).toEqual([
      `/config is taken as it is meant, but other programs, upstream's flanneld among them, refuse it for a dot or an exponent in ${number}`,
    ])
  })

  it.each([
    ['"VNI":5', 'VNI is not read: its place is inside of Backend'],
    ['"port":4789', 'port is not read: its place is inside of Backend'],
    ['"Type":"vxlan"', 'Type is not read: its place is inside of Backend'],
    ['"DirectRouting":true', 'DirectRouting is not read: its place is inside of Backend'],
    ['"Backend":{"SubnetLen":20}', 'Backend.SubnetLen is not read: its place is outside of Backend'],
    ['"SubnetLength":20', 'SubnetLength is not read: is SubnetLen meant?'],
    ['"subnet_min":"10.1.0.0"', 'subnet_min is not read: is SubnetMin meant?'],
    ['"Backed":{}', 'Backed is not read: is Backend meant?'],
    ['"Backend":{"DirectRoute":true}', 'Backend.DirectRoute is not read: is Backend.DirectRouting meant?'],
    ['"Backend":{"Type":"udp","MTU":1400}', 'Backend.MTU is not read by the backend udp'],
    ['"Backend":{"Type":"UDP","directrouting":true}', 'Backend.directrouting is not read by the backend udp'],
    ['"Backend":{"Type":"host-gw","VNI":5}', 'Backend.VNI is not read by the backend host-gw'],
    ['"IPv6Network":"fd00::/48"', 'IPv6Network is not read without "EnableIPv6": true'],
  ])('has fields named that are not read, and seem to be meant: %s', (fields, remark) => {
    expect(remarks(fields)).toEqual([`/config: ${remark}`])
  })

  it.each([
    '"Comment":"2e1 20.0","Weight":1.5,"Tags":[2e1],"version":2',
    '"ipv6network":"fd00::/48","EnableIPv6":false',
    '"Backend":{"Type":"udp","Port":4789}',
    '"subnetlen":20,"BACKEND":{"type":"vxlan","vni":100,"PSK":"x"}',
    `"${'SubnetLen'.repeat(10_000)}":1`,
  ])('is not remarked on for what is right, and for what others may want of it: %#', (fields) => {
    expect(remarks(fields)).toEqual([])
  })
})
