// A worker that is in the middle of everything when it is terminated: sockets polled, abandoned, and one whose callback never rests.
import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'

const addon = createRequire(import.meta.url)(workerData.addon)
const request = Buffer.alloc(32)
request.writeUInt32LE(32, 0)
request.writeUInt16LE(18, 4)
request.writeUInt16LE(5, 6)
request.writeInt32LE(0x7ffffff0, 20)

for (let n = 0; n < 20; n++) addon.open(0)
for (let n = 0; n < 20; n++) addon.poll(addon.open(0), () => undefined)
const busy = addon.open(0)
const into = new Uint8Array(65_536)
let calls = 0
addon.poll(busy, () => {
  addon.receive(busy, into)
  addon.send(busy, request, 32)
  if (++calls === 100) parentPort.postMessage('busy')
})
addon.send(busy, request, 32)
