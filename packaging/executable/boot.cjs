// What Node runs in the single executable: the program, with code caches that were made after a run of it (warm-up.cjs). Node's own
// (`useCodeCache`) is made before anything has run, and holds next to nothing of a text of many modules.
'use strict'
const { dirname } = require('node:path')
const { getRawAsset } = require('node:sea')
const { cacheIn } = require('./cache-places.mjs')
const { compilePart, runParts } = require('./load.cjs')

const asset = (name) => Buffer.from(getRawAsset(name))
const compile = (part) => compilePart(part, asset(part).latin1Slice(), cacheIn(asset(`${part}.cache`)))
runParts(compile, require, dirname(process.execPath))
