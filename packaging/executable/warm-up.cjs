// node warm-up.cjs: runs the parts of the program in this folder as boot.cjs does, and writes beside each what V8 has compiled of it by
// then. To be run by the very Node that is to use it. With --verify it only sees whether V8 takes these caches.
'use strict'
const { readFileSync, writeFileSync } = require('node:fs')
const { compilePart, runParts } = require('./load.cjs')

const NOTHING = new Uint8Array()
const sourceOf = (part) => readFileSync(part, 'latin1')

function write() {
  const scripts = new Map()
  const compile = (part) => {
    const script = compilePart(part, sourceOf(part), NOTHING)
    scripts.set(part, script)
    return script
  }
  process.on('exit', () => {
    for (const [part, script] of scripts) writeFileSync(`${part}.cache`, script.createCachedData())
  })
  process.argv = [process.execPath, process.execPath, '--version']
  const load = runParts(compile, require, __dirname)
  const { readCommandLine } = load('first:src/cli/flanneld.ts')
  const { createLogger } = load('first:src/observe/logger.ts')
  readCommandLine(['--etcd-endpoints=http://192.168.33.10:2379', '-iface=eth1', '--ip-masq'], {}, '')
  createLogger(0).info('warm', { pid: process.pid })
  load('late:src/commands/run-daemon.ts')
}

function verify() {
  for (const part of ['first', 'late'])
    if (compilePart(part, sourceOf(part), readFileSync(`${part}.cache`)).cachedDataRejected !== false)
      throw new Error(`V8 does not take its own code cache of "${part}"`)
}

if (process.argv[2] === '--verify') verify()
else write()
