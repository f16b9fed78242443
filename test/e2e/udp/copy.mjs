// One end of a copy over TCP: `serve OCTETS` sends so many to who connects, `fetch ADDRESS` takes them. Both print what has passed, hashed.
import { createHash } from 'node:crypto'
import { connect, createServer } from 'node:net'

const PORT = 5_201
const [mode, operand = ''] = process.argv.slice(2)
const hash = createHash('sha256')
let octets = 0

const end = () => {
  process.stdout.write(`${octets} ${hash.digest('hex')}\n`)
}

/** Never twice the same, so that a part in the place of another is noticed. */
function* parts(total) {
  for (let number = 0; octets < total; number++) {
    const part = Buffer.alloc(Math.min(65_536, total - octets), createHash('sha256').update(`${number}`).digest())
    octets += part.length
    hash.update(part)
    yield part
  }
}

if (mode === 'serve') {
  const server = createServer((socket) => {
    const source = parts(Number(operand))
    const send = () => {
      for (const part of source) {
        if (socket.write(part)) continue
        socket.once('drain', send)
        return
      }
      socket.end()
    }
    // `for … of` ends a generator that is left: it is gone through by hand
    source.return = (value) => ({ done: true, value })
    socket.on('close', () => {
      server.close(end)
    })
    send()
  })
  server.listen(PORT)
} else fetchFrom(operand)

/** Whoever serves may not listen yet. */
function fetchFrom(address) {
  const socket = connect(PORT, address)
  socket.on('data', (part) => {
    octets += part.length
    hash.update(part)
  })
  socket.on('error', () => {
    setTimeout(() => {
      fetchFrom(address)
    }, 50)
  })
  socket.on('close', (hasFailed) => {
    if (!hasFailed) end()
  })
}
