import { describe, expect, it } from 'vitest'
import { FLAGS } from '../../../src/cli/flags.ts'
import { environmentName } from '../../../src/cli/flag.ts'
import { unknownVariables } from '../../../src/cli/unknown-variables.ts'

describe('variables that nothing reads', () => {
  it('are none of those that stand in for a flag, nor those of the unit and of other programs', () => {
    const known = Object.values(FLAGS).map(({ name }) => environmentName(name))
    const others = ['FLANNELD_OPTS', 'FLANNELD_NETLINK_ADDON', 'FLANNEL_OPTIONS', 'PATH', 'NOTIFY_SOCKET']
    expect(unknownVariables(Object.fromEntries([...known, ...others].map((name) => [name, 'x'])))).toEqual([])
  })

  it.each([
    ['FLANNELD_IFCAE', 'FLANNELD_IFACE'],
    ['FLANNELD_ETCD_ENDPOINT', 'FLANNELD_ETCD_ENDPOINTS'],
    ['FLANNELD_ETCD_PASWORD', 'FLANNELD_ETCD_PASSWORD'],
    ['FLANNELD_ETCD_CAFIL', 'FLANNELD_ETCD_CAFILE'],
    ['FLANNELD_ETCD_KEYFIL', 'FLANNELD_ETCD_KEYFILE'],
    ['FLANNELD_OPTIONS', 'FLANNELD_OPTS'],
  ])('%s: the name that is meant is said, and never the value', (name, meant) => {
    expect(unknownVariables({ [name]: 'hunter2' })).toEqual([
      `${name} is not read: no flag has that name; is ${meant} meant?`,
    ])
  })

  it('a name like no other is said without a guess', () => {
    expect(unknownVariables({ FLANNELD_SERVICE_ACCOUNT_PLACE: '1' })).toEqual([
      'FLANNELD_SERVICE_ACCOUNT_PLACE is not read: no flag has that name (see flanneld --help)',
    ])
  })
})
