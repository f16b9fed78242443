import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'

/** Forwards until it is terminated. */
const { addonPath, FORWARDING } = workerData
const addon = createRequire(import.meta.url)(addonPath)
const forwarder = addon.openForwarder(FORWARDING.name, false)
parentPort.postMessage(addon.startForwarder(forwarder, Uint32Array.from(FORWARDING.settings)))
parentPort.on('message', () => forwarder)
