// What Node runs in the single executable: the program, with code caches that were made after a run of it (warm-up.cjs). Node's own
// (`useCodeCache`) is made before anything has run, and holds next to nothing of a text of many modules.
'use strict'
const { readdirSync, readlinkSync } = require('node:fs')
const { dirname } = require('node:path')
const { getRawAsset } = require('node:sea')
const { cacheIn } = require('./cache-places.mjs')
const { compilePart, runParts } = require('./load.cjs')

const asset = (name) => Buffer.from(getRawAsset(name))

/** Where the kernel shows a process its files, and as what the one that prelude.c has made (src/native/executable.ts). */
const [FILES, MEMORY_FILE] = ['/proc/self/fd', '/memfd:flanneld-netlink (deleted)']

/**
 * The addon, which makes texts of octets where they stand: V8 keeps the text of a program for as long as it runs, and would have a copy. It is
 * left where it is for src/native, which loads it again; undefined where it cannot be had that easily.
 */
function addon() {
  const target = { exports: {} }
  const isOurs = (name) => {
    try {
      return readlinkSync(`${FILES}/${name}`) === MEMORY_FILE
    } catch {
      return false // the descriptor that the folder was read through
    }
  }
  try {
    process.dlopen(target, `${FILES}/${readdirSync(FILES).find(isOurs)}`)
    return target.exports
  } catch {
    return undefined
  }
}

const textIn = addon()?.textIn ?? ((bytes) => bytes.latin1Slice())
const compile = (part) => compilePart(part, textIn(asset(part)), cacheIn(asset(`${part}.cache`)))
runParts(compile, require, dirname(process.execPath))
