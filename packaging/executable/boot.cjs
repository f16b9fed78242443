// What Node runs in the single executable: the bundle, with a code cache that was made after a run of it (warm-up.cjs). Node's own
// (`useCodeCache`) is made before anything has run, and holds next to nothing of a bundle of modules.
'use strict'
const { dirname } = require('node:path')
const { getRawAsset } = require('node:sea')
const { setFlagsFromString } = require('node:v8')
const { Script } = require('node:vm')

for (const flag of require('./v8-flags.json')) setFlagsFromString(flag)
const source = Buffer.from(getRawAsset('bundle')).latin1Slice()
const cache = Buffer.from(getRawAsset('code-cache'))
const script = new Script(source, { filename: 'flanneld.cjs', ...(cache.length > 0 && { cachedData: cache }) })
script.runInThisContext()(require, dirname(process.execPath))
