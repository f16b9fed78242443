import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LAYERS, violations } from './architecture/rules.ts'

const SRC = join(import.meta.dirname, '../../src')

const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))

describe('who imports whom', () => {
  it('is kept by every file', () => {
    expect(sources.length).toBeGreaterThan(50)
    expect(sources.flatMap((path) => violations(path, readFileSync(join(SRC, path), 'utf8')))).toEqual([])
  })

  it('has no circle among the folders', () => {
    const placed = new Set<string>()
    const left = new Map(Object.entries(LAYERS))
    for (let before = -1; before !== left.size;) {
      before = left.size
      for (const [name, { sees }] of left) {
        if (!sees.every((other) => placed.has(other))) continue
        placed.add(name)
        left.delete(name)
      }
    }
    expect([...left.keys()]).toEqual([])
  })
})

describe('a file that breaks the rules is found out', () => {
  it.each([
    // Layers, in every form an import can take.
    ['net/ip.ts', "import { ConfigError } from '../config/error.ts'", 'net sees none'],
    ['config/json.ts', "import type { Lease } from '../lease/lease.ts'", 'config sees net'],
    ['lease/codec.ts', "export { deviceName } from '../vxlan/vtep.ts'", 'lease sees net, config'],
    ['lease/codec.ts', "export type * from '../reconcile/kernel.ts'", 'lease sees net, config'],
    ['reconcile/plan.ts', "type Lease = import('../lease/lease.ts').Lease", 'reconcile sees net'],
    ['vxlan/device.ts', "const netlink = await import('../netlink/socket.ts')", 'vxlan sees'],
    ['vxlan/device.ts', "import '../host/identity.ts'", 'vxlan sees'],
    ['etcd/list.ts', "import { uapi } from '../netlink/uapi.ts'", 'etcd sees'],
    ['netlink/native/load.ts', "import { read } from '../../host/identity.ts'", 'netlink sees'],
    ['firewall/rules.ts', "import { ip } from '../vxlan/vtep.ts'", 'firewall sees'],
    ['host/identity.ts', "import { call } from '../etcd/call.ts'", 'host sees'],
    ['observe/logger.ts', "import { Agent } from '../agent/agent.ts'", 'observe sees'],
    ['agent/agent.ts', "import { EtcdLeaseStore } from '../etcd/etcd-lease-store.ts'", 'agent sees'],
    ['agent/agent.ts', "import type { Socket } from '../netlink/socket.ts'", 'agent sees'],
    ['agent/agent.ts', "import { FLAGS } from '../cli/flags.ts'", 'agent sees'],
    ['agent/agent.ts', "import { createLogger } from '../observe/logger.ts'", 'not only for its types'],
    ['agent/agent.ts', "import { type Logger } from '../observe/logger.ts'", 'not only for its types'],
    ['cli/flanneld.ts', "import { Reconciler } from '../reconcile/reconciler.ts'", 'cli sees'],
    ['agent/agent.ts', "import '../main.ts'", 'agent sees'],
    ['cli/flanneld.ts', "import { FakeClock } from '../../test/fake/fake-clock.ts'", 'leaves src/'],
    ['cli/flanneld.ts', "import packageJson from '../../package.json' with { type: 'json' }", 'leaves src/'],
    ['misc/helpers.ts', '', 'misc/ is in no layer'],
    ['helpers.ts', '', 'helpers/ is in no layer'],
    // What the core must be handed.
    ['lease/keeper.ts', 'const now = Date.now()', 'uses Date'],
    ['lease/keeper.ts', 'const now = new Date()', 'uses Date'],
    ['net/backoff.ts', 'const now = performance.now()', 'uses performance'],
    ['vxlan/device.ts', 'setTimeout(() => undefined, 5)', 'uses setTimeout'],
    ['reconcile/plan.ts', 'const timer = setInterval', 'uses setInterval'],
    ['config/json.ts', 'setImmediate(work)', 'uses setImmediate'],
    ['lease/allocate.ts', 'const index = Math.random()', 'uses Math.random'],
    ['lease/allocate.ts', 'const index = globalThis.Math.random()', 'uses globalThis'],
    ['net/mac.ts', 'crypto.getRandomValues(bytes)', 'uses crypto'],
    ['config/options.ts', 'const { PATH } = process.env', 'uses process'],
    ['net/ip.ts', "import { isIP } from 'node:net'", 'without Node'],
    ['reconcile/plan.ts', "import type { EventEmitter } from 'node:events'", 'without Node'],
    // Packages and the addon.
    ['lease/store.ts', "import { Etcd3 } from 'etcd3'", 'known to etcd only'],
    ['agent/agent.ts', "import type { Etcd3 } from 'etcd3'", 'known to etcd only'],
    ['host/identity.ts', "import winston from 'winston'", 'known to observe only'],
    ['main.ts', "import { Command } from 'commander'", 'known to cli only'],
    ['main.ts', "import { Agent } from './etcd/connection.ts'", 'only chooses which command to load'],
    ['vxlan/device.ts', "import ipaddr from 'ipaddr.js'", 'known to net only'],
    ['host/identity.ts', "import { createRequire } from 'node:module'", 'known to netlink only'],
    [
      'host/identity.ts',
      "const addon = require('../netlink/native/netlink.node')",
      'only netlink/ speaks to the kernel',
    ],
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
    ['reconcile/kernel.ts', 'interface State { readonly process: string; console(): void }'],
    [
      'agent/agent.ts',
      "import type { Logger } from '../observe/logger.ts'\nimport { setTimeout } from 'node:timers/promises'",
    ],
    ['netlink/native/load.ts', "import { createRequire } from 'node:module'\nconst addon = require(path)"],
    [
      'main.ts',
      "import { stopSignal } from './agent/stop-signal.ts'\nimport packageJson from '../package.json' with { type: 'json' }",
    ],
  ])('%s with %s', (path, text) => {
    expect(violations(path, text)).toEqual([])
  })
})
