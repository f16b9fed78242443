import { describe, expect, it } from 'vitest'
import { CLEANUP_HELP, readCleanup } from '../../../src/cli/cleanup.ts'
import { ConfigError } from '../../../src/config/error.ts'

const DEFAULT = { kind: 'clean', dryRun: false, subnetFile: '/run/flannel/subnet.env', etcd: undefined }

describe('flanneld cleanup', () => {
  it.each([
    [[], {}],
    [['--dry-run'], { dryRun: true }],
    [['-dry-run'], { dryRun: true }],
    [['--dry-run=false'], {}],
    [['--subnet-file', '/x', '-dry-run'], { dryRun: true, subnetFile: '/x' }],
    [['-subnet-file=/x'], { subnetFile: '/x' }],
    [['-subnet-file='], {}],
    [['-subnet-file=/x', '--subnet-file=/y'], { subnetFile: '/y' }],
    [['-subnet-file=/x', '--subnet-file='], { subnetFile: '/x' }],
  ])('understands %j', (args, expected) => {
    expect(readCleanup(args, {})).toEqual({ ...DEFAULT, ...expected })
  })

  it('finds the subnet file where the daemon would, and takes nothing else from the environment', () => {
    const environment = { FLANNELD_SUBNET_FILE: '/env', FLANNELD_DRY_RUN: 'true', FLANNELD_HELP: 'true' }
    expect(readCleanup([], environment)).toEqual({ ...DEFAULT, subnetFile: '/env' })
    expect(readCleanup(['--subnet-file=/x'], environment)).toEqual({ ...DEFAULT, subnetFile: '/x' })
  })

  it('asks etcd only where one is named, and reaches it as the daemon does', () => {
    const etcd = { endpoints: ['http://10.0.0.1:2379'], prefix: '/coreos.com/network', username: 'root', password: 'x' }
    const environment = { FLANNELD_ETCD_PASSWORD: 'x', FLANNELD_ETCD_USERNAME: 'root' }
    expect(readCleanup([], environment)).toEqual(DEFAULT)
    expect(readCleanup(['--etcd-endpoints=http://10.0.0.1:2379'], environment)).toMatchObject({ etcd })
    const named = { ...environment, FLANNELD_ETCD_ENDPOINTS: 'http://10.0.0.1:2379', FLANNELD_ETCD_PREFIX: 'other/' }
    expect(readCleanup([], named)).toMatchObject({ etcd: { ...etcd, prefix: '/other' } })
    expect(() => readCleanup(['--etcd-certfile=c'], named)).toThrow('both or neither')
  })

  it('gives leases back only where it is told which etcd holds them, and takes the node id that the daemon had', () => {
    const where = ['--release', '--etcd-endpoints=http://10.0.0.1:2379']
    const etcd = { endpoints: ['http://10.0.0.1:2379'], prefix: '/coreos.com/network' }
    expect(readCleanup(where, {})).toMatchObject({ etcd, release: { etcd, nodeId: undefined } })
    expect(readCleanup(where, { FLANNELD_NODE_ID: 'n' })).toMatchObject({ release: { nodeId: 'n' } })
    expect(readCleanup([...where, '--node-id=m'], { FLANNELD_NODE_ID: 'n' })).toMatchObject({
      release: { nodeId: 'm' },
    })
    expect(readCleanup(['--release'], { FLANNELD_ETCD_ENDPOINTS: 'http://10.0.0.1:2379' })).toMatchObject({
      release: {},
    })
    expect(readCleanup(where.slice(1), { FLANNELD_RELEASE: 'true' })).toMatchObject({ release: undefined })
    expect(() => readCleanup(['--release'], {})).toThrow(/^--etcd-endpoints: expected the etcd that holds the lease/)
  })

  it.each(['-h', '-help', '--help'])('explains itself with %s, and that the lease stays', (flag) => {
    expect(CLEANUP_HELP).toContain('the lease stays')
    expect(readCleanup([flag], {})).toMatchObject({ kind: 'print', text: CLEANUP_HELP })
  })

  it.each([
    [['--dryrun'], '--dryrun'],
    [['now'], 'now'],
    [['--'], '--'],
    [['--dry-run', 'no'], 'no'],
    [['--dry-run=maybe'], 'maybe'],
    [['--subnet-file'], '--subnet-file'],
    [['--iface=eth0'], '--iface'],
  ])('refuses %j', (args, word) => {
    expect(() => readCleanup(args, {})).toThrow(ConfigError)
    expect(() => readCleanup(args, {})).toThrow(word)
  })
})
