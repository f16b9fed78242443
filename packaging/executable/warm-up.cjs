// node warm-up.cjs write|verify PART …: writes beside the first and these parts of the program in this folder their code caches, to be made by
// the very Node that is to use them; or only sees whether V8 takes these caches.
//
// Of the first part it holds what is compiled when the daemon has said that it starts: the time until then is what its size costs. Of the
// others it holds everything: what is compiled while it runs would take three times as long as to read it (40 of 190 ms of a start, for 2 MB
// of memory).
'use strict'
const { readFileSync, writeFileSync } = require('node:fs')
const { setFlagsFromString } = require('node:v8')
const { compilePart, runParts } = require('./load.cjs')

const NOTHING = new Uint8Array()
const [, , task, ...others] = process.argv
const sourceOf = (part) => readFileSync(part, 'latin1')

function writeFirst() {
  setFlagsFromString('--no-sparkplug') // the cache would say of which functions it has made machine code, when it came to it
  const script = compilePart('first', sourceOf('first'), NOTHING)
  process.on('exit', () => {
    setFlagsFromString('--sparkplug')
    writeFileSync('first.cache', script.createCachedData())
  })
  process.argv = [process.execPath, process.execPath, '--help'] // --version is none of the first part's business
  const load = runParts(() => script, require, __dirname)
  const { readCommandLine } = load('first:src/cli/flanneld.ts')
  const { createLogger } = load('first:src/observe/logger.ts')
  readCommandLine(['--etcd-endpoints=http://192.168.33.10:2379', '-iface=eth1', '--ip-masq'], {}, '')
  createLogger(0).info('warm', { pid: process.pid })
}

function writeWhole(part) {
  setFlagsFromString('--no-lazy')
  const script = compilePart(part, sourceOf(part), NOTHING)
  setFlagsFromString('--lazy') // a cache is taken by the flags it was written with
  writeFileSync(`${part}.cache`, script.createCachedData())
}

function verify() {
  for (const part of ['first', ...others])
    if (compilePart(part, sourceOf(part), readFileSync(`${part}.cache`)).cachedDataRejected !== false)
      throw new Error(`V8 does not take its own code cache of "${part}"`)
}

if (task === 'verify') verify()
else {
  for (const part of others) writeWhole(part)
  writeFirst()
}
