// Loaded into the agent before anything else (node --require): profiles it until it is told to stop by SIGUSR2. PROFILE_FOLDER gets
// start.cpuprofile and, after a forced collection, rest.heapsnapshot, which Chromium's developer tools open.
'use strict'
const { Session } = require('node:inspector')
const { renameSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { writeHeapSnapshot } = require('node:v8')

const folder = process.env.PROFILE_FOLDER
/** Between two samples, in microseconds. */
const INTERVAL_US = 200

const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US })
session.post('Profiler.start')

/** Whoever waits for the file is not to read half of it. */
function finished(name, write) {
  const path = join(folder, name)
  write(`${path}.part`)
  renameSync(`${path}.part`, path)
}

function stopProfile() {
  session.post('Profiler.stop', (error, result) => {
    if (error) throw error
    finished('start.cpuprofile', (path) => writeFileSync(path, JSON.stringify(result.profile)))
  })
}

function writeHeap() {
  global.gc()
  finished('rest.heapsnapshot', (path) => writeHeapSnapshot(path))
}

let asked = 0
process.on('SIGUSR2', () => (asked++ === 0 ? stopProfile() : writeHeap()))
