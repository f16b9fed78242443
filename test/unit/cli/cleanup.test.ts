import { describe, expect, it } from 'vitest'
import { CLEANUP_HELP, readCleanup } from '../../../src/cli/cleanup.ts'
import { ConfigError } from '../../../src/config/error.ts'

const DEFAULT = { kind: 'clean', dryRun: false, subnetFile: '/run/flannel/subnet.env' }

describe('flanneld cleanup', () => {
  it.each([
    [[], {}],
    [['--dry-run'], { dryRun: true }],
    [['-dry-run'], { dryRun: true }],
    [['--dry-run=false'], {}],
    [['--subnet-file', '/x', '-dry-run'], { dryRun: true, subnetFile: '/x' }],
    [['-subnet-file=/x'], { subnetFile: '/x' }],
    [['-subnet-file='], {}],
  ])('understands %j', (args, expected) => {
    expect(readCleanup(args, {})).toEqual({ ...DEFAULT, ...expected })
  })

  it('finds the subnet file where the daemon would, and takes nothing else from the environment', () => {
    const environment = { FLANNELD_SUBNET_FILE: '/env', FLANNELD_DRY_RUN: 'true', FLANNELD_HELP: 'true' }
    expect(readCleanup([], environment)).toEqual({ ...DEFAULT, subnetFile: '/env' })
    expect(readCleanup(['--subnet-file=/x'], environment)).toEqual({ ...DEFAULT, subnetFile: '/x' })
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
