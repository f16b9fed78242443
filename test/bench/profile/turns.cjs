// Loaded into the agent before anything else (node --require): notes turns of its event loop that take long, by processor time of its thread,
// pauses of the collector, and where time goes, until SIGUSR2; then PROFILE_FOLDER gets turns.json.
'use strict'
const { Session } = require('node:inspector')
const { renameSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { performance, PerformanceObserver } = require('node:perf_hooks')

const folder = process.env.PROFILE_FOLDER
/** Between two samples, in microseconds. */
const INTERVAL_US = 200
/** Shorter turns are only counted, in milliseconds. */
const LEAST_MS = 4

/** On the clock that samples have as well (CLOCK_MONOTONIC), in milliseconds. */
const nowMs = () => Number(process.hrtime.bigint()) / 1e6
const startedMs = nowMs() - performance.now()
/** Of this thread, in milliseconds. */
function processorMs() {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

const pauses = []
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) pauses.push({ fromMs: startedMs + startTime, ms: duration })
}).observe({ entryTypes: ['gc'] })

const turns = []
let count = 0
let last = { atMs: nowMs(), processorMs: processorMs() }

/** Once in each turn of the loop, which is not kept from waiting. */
function turn() {
  const ms = processorMs() - last.processorMs
  count++
  if (ms >= LEAST_MS) turns.push({ fromMs: last.atMs, toMs: nowMs(), processorMs: ms })
  last = { atMs: nowMs(), processorMs: processorMs() }
  setImmediate(turn).unref()
}
setImmediate(turn).unref()

const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US })
session.post('Profiler.start')

process.on('SIGUSR2', () => {
  session.post('Profiler.stop', (error, result) => {
    if (error) throw error
    const path = join(folder, 'turns.json')
    writeFileSync(`${path}.part`, JSON.stringify({ startedMs, count, turns, pauses, profile: result.profile }))
    renameSync(`${path}.part`, path)
  })
})
