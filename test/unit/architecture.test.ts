import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOMS, usedBy, violations } from './architecture/rules.ts'

const SRC = join(import.meta.dirname, '../../src')

const paths = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
const sources = Object.fromEntries(paths.map((path) => [path, readFileSync(join(SRC, path), 'utf8')]))

/** More than this is no room but a heap. */
const MOST_FILES = 16
const MOST_FILES_IN_AGENT = 8

describe('who imports whom', () => {
  it('is kept by every file', () => {
    expect(paths.length).toBeGreaterThan(50)
    expect(Object.entries(sources).flatMap(([path, text]) => violations(path, text))).toEqual([])
  })

  it('has each room see only those that stand before it', () => {
    const names = Object.keys(ROOMS)
    const later = Object.entries(ROOMS).flatMap(([name, { sees }]) =>
      sees.filter((other) => names.indexOf(other) >= names.indexOf(name)).map((other) => `${name} sees ${other}`),
    )
    expect(later).toEqual([])
  })

  it('permits nothing that no file needs', () => {
    const used = usedBy(sources)
    const unused = Object.entries(ROOMS).flatMap(([name, { sees }]) =>
      sees.filter((other) => used.get(name)?.has(other) !== true).map((other) => `${name} need not see ${other}`),
    )
    expect(unused).toEqual([])
  })

  it('has rooms that can be overlooked', () => {
    const files = new Map<string, number>()
    for (const path of paths) files.set(dirname(path), (files.get(dirname(path)) ?? 0) + 1)
    const heaps = [...files].filter(
      ([folder, count]) => count > (folder === 'agent' ? MOST_FILES_IN_AGENT : MOST_FILES),
    )
    expect(heaps.map(([folder]) => folder)).toEqual([])
  })
})

describe('a file that breaks the rules is found out', () => {
  it.each([
    // Layers, in every form an import can take.
    ['net/ip.ts', "import { ConfigError } from '../config/error.ts'", 'net sees none'],
    ['config/json.ts', "import type { Lease } from '../lease/lease.ts'", 'config sees net'],
    ['lease/codec.ts', "export { deviceName } from '../backend/vxlan/vtep.ts'", 'lease sees net, time, config'],
    ['lease/codec.ts', "export type * from '../kernel/kernel.ts'", 'lease sees net, time, config'],
    [
      'reconcile/plan.ts',
      "type Lease = import('../lease/lease.ts').Lease",
      'reconcile sees net, columns, time, kernel',
    ],
    ['backend/vxlan/device.ts', "const netlink = await import('../../netlink/socket.ts')", 'backend/vxlan sees'],
    ['backend/vxlan/device.ts', "import '../hostgw/backend.ts'", 'backend/vxlan sees'],
    ['etcd/keys/list.ts', "import { uapi } from '../../netlink/codec/uapi.ts'", 'etcd/keys sees'],
    ['etcd/client/call.ts', "import { list } from '../keys/list.ts'", 'etcd/client sees'],
    ['native/load.ts', "import { read } from '../host/identity.ts'", 'native sees none'],
    ['agent/peers/peers-task.ts', "import { Datapath } from '../datapath/datapath.ts'", 'agent/peers sees'],
    ['firewall/rules.ts', "import { ip } from '../backend/vxlan/vtep.ts'", 'firewall sees'],
    ['host/identity.ts', "import { call } from '../etcd/client/call.ts'", 'host sees'],
    ['observe/logger.ts', "import { Agent } from '../agent/agent.ts'", 'observe sees'],
    ['agent/agent.ts', "import { EtcdLeaseStore } from '../etcd/etcd-lease-store.ts'", 'agent sees'],
    ['agent/agent.ts', "import { EtcdSubnetManager } from '../etcd/subnets/etcd-subnet-manager.ts'", 'agent sees'],
    ['etcd/subnets/held-lease.ts', "import { KeyWriter } from '../keys/write.ts'", 'etcd/subnets sees'],
    ['etcd/subnets/held-lease.ts', "import { Etcd3 } from 'etcd3'", 'known to etcd, etcd/client, etcd/keys only'],
    ['agent/agent.ts', "import type { Socket } from '../netlink/socket.ts'", 'agent sees'],
    ['agent/agent.ts', "import { FLAGS } from '../cli/flags.ts'", 'agent sees'],
    ['agent/runtime/retry.ts', "import { createLogger } from '../../observe/logger.ts'", 'not only for its types'],
    ['agent/runtime/retry.ts', "import { type Logger } from '../../observe/logger.ts'", 'not only for its types'],
    ['cli/flanneld.ts', "import { Reconciler } from '../reconcile/reconciler.ts'", 'cli sees'],
    ['agent/agent.ts', "import '../main.ts'", 'agent sees'],
    ['cli/flanneld.ts', "import { FakeClock } from '../../test/fake/fake-clock.ts'", 'leaves src/'],
    ['cli/flanneld.ts', "import packageJson from '../../package.json' with { type: 'json' }", 'leaves src/'],
    ['misc/helpers.ts', '', 'misc/ is no room'],
    ['helpers.ts', '', 'helpers/ is no room'],
    // What the core must be handed.
    ['lease/keeper.ts', 'const now = Date.now()', 'uses Date'],
    ['lease/keeper.ts', 'const now = new Date()', 'uses Date'],
    ['time/backoff.ts', 'const now = performance.now()', 'uses performance'],
    ['backend/vxlan/device.ts', 'setTimeout(() => undefined, 5)', 'uses setTimeout'],
    ['reconcile/plan.ts', 'const timer = setInterval', 'uses setInterval'],
    ['config/json.ts', 'setImmediate(work)', 'uses setImmediate'],
    ['lease/allocate.ts', 'const index = Math.random()', 'uses Math.random'],
    ['lease/allocate.ts', 'const index = globalThis.Math.random()', 'uses globalThis'],
    ['net/mac.ts', 'crypto.getRandomValues(bytes)', 'uses crypto'],
    ['config/options.ts', 'const { PATH } = process.env', 'uses process'],
    ['net/ip.ts', "import { isIP } from 'node:net'", 'without Node'],
    ['reconcile/plan.ts', "import type { EventEmitter } from 'node:events'", 'without Node'],
    // Packages and the addon.
    ['lease/store.ts', "import { Etcd3 } from 'etcd3'", 'known to etcd, etcd/client, etcd/keys only'],
    ['agent/agent.ts', "import type { Etcd3 } from 'etcd3'", 'known to etcd, etcd/client, etcd/keys only'],
    ['host/identity.ts', "import winston from 'winston'", 'known to observe only'],
    ['main.ts', "import { Command } from 'commander'", 'known to cli only'],
    ['main.ts', "import { Agent } from './etcd/client/connection.ts'", 'only chooses which command to load'],
    ['backend/vxlan/device.ts', "import ipaddr from 'ipaddr.js'", 'known to net only'],
    ['host/identity.ts', "import { createRequire } from 'node:module'", 'known to native only'],
    ['host/identity.ts', "const addon = require('../native/netlink.node')", 'only native/ does'],
    ['host/identity.ts', 'const addon = require(path)', 'computed name'],
    ['agent/agent.ts', 'const late = await import(name)', 'computed name'],
    ['host/identity.ts', "import leftPad from 'left-pad'", 'no dependency of ours'],
  ])('%s with %s', (path, text, reason) => {
    expect(violations(path, text)).toEqual([expect.stringContaining(reason)])
  })
})

describe('a file that keeps the rules is left alone', () => {
  it.each([
    ['lease/codec.ts', "import { ip } from '../net/ip.ts'\nimport { peers } from './peers.ts'"],
    ['lease/keeper.ts', '/** Date, setTimeout, Math.random */ const text = "performance"'],
    [
      'lease/keeper.ts',
      'const { date } = lease\nlease.Date = clock.performance + { process: 1 }.process + Math.max(1, 2)',
    ],
    ['kernel/kernel.ts', 'interface State { readonly process: string; console(): void }'],
    [
      'agent/runtime/retry.ts',
      "import type { Logger } from '../../observe/logger.ts'\nimport { setTimeout } from 'node:timers/promises'",
    ],
    ['native/load.ts', "import { createRequire } from 'node:module'\nconst addon = require(path)"],
    [
      'main.ts',
      "import { stopSignal } from './commands/stop-signal.ts'\nimport packageJson from '../package.json' with { type: 'json' }",
    ],
  ])('%s with %s', (path, text) => {
    expect(violations(path, text)).toEqual([])
  })
})
