// node warm-up.cjs BUNDLE CACHE: runs the bundle as boot.cjs does, and writes what V8 has compiled by then. To be run by the very Node that
// is to use it. With --verify it only sees whether V8 takes that cache.
'use strict'
const { readFileSync, writeFileSync } = require('node:fs')
const { setFlagsFromString } = require('node:v8')
const { Script } = require('node:vm')

const [program, , bundle, cache, mode] = process.argv
for (const flag of require('./v8-flags.json')) setFlagsFromString(flag)
const source = readFileSync(bundle, 'latin1')

function write() {
  const script = new Script(source, { filename: 'flanneld.cjs' })
  process.argv = [program, program, '--version']
  process.on('exit', () => writeFileSync(cache, script.createCachedData()))
  script.runInThisContext()(require, __dirname)
}

function verify() {
  const script = new Script(source, { filename: 'flanneld.cjs', cachedData: readFileSync(cache) })
  if (script.cachedDataRejected !== false) throw new Error('V8 does not take its own code cache')
}

if (mode === '--verify') verify()
else write()
