import { describe, expect, it } from 'vitest'
import { FLAGS } from '../../../src/cli/flags.ts'
import { environmentName } from '../../../src/cli/flag.ts'
import { ignoredKlog, unknownVariables } from '../../../src/cli/unknown-variables.ts'

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
    ['FLANNELD_INTERFACE', 'FLANNELD_IFACE'],
    ['FLANNELD_PREFIX', 'FLANNELD_ETCD_PREFIX or FLANNELD_KUBE_ANNOTATION_PREFIX'],
  ])('%s: the name that is meant is said, and never the value', (name, meant) => {
    expect(unknownVariables({ [name]: 'hunter2' })).toEqual([
      `${name} is not read: no flag has that name; did you mean ${meant}?`,
    ])
  })

  it('a variable for a flag that is gone says since when, and what to do', () => {
    expect(unknownVariables({ FLANNELD_SUBNET_DIR: '/run/flannel/networks' })).toEqual([
      'FLANNELD_SUBNET_DIR is not read: its flag is gone since flannel 0.8; one agent carries one network: give it --etcd-prefix and --subnet-file',
    ])
  })

  it('those of klog are no unknown ones: they are named once, with the flags', () => {
    const environment = { FLANNELD_VMODULE: 'x=2', FLANNELD_LOG_BACKTRACE_AT: ':0', FLANNELD_V: '1' }
    expect(unknownVariables(environment)).toEqual([])
    expect(ignoredKlog(['log_dir', 'vmodule'], environment)).toMatch(
      /^--log_dir, --vmodule, FLANNELD_VMODULE, FLANNELD_LOG_BACKTRACE_AT of upstream's log: ignored/,
    )
    expect(ignoredKlog([], { FLANNELD_V: '1' })).toBeUndefined()
  })

  it('a name like no other is said without a guess', () => {
    expect(unknownVariables({ FLANNELD_SERVICE_ACCOUNT_PLACE: '1' })).toEqual([
      'FLANNELD_SERVICE_ACCOUNT_PLACE is not read: no flag has that name; see flanneld --help',
    ])
  })
})
