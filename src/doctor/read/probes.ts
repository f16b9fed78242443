import { createSocket } from 'node:dgram'
import type { Ip } from '../../net/ip.ts'
import type { Clock } from '../../time/clock.ts'
import type { Knock, Probes } from '../view.ts'
import { holdersOf } from './arp.ts'
import type { EchoAsker } from './icmp.ts'

/** An answer that has not come after this long does not come, in milliseconds: four times what goes around the earth. */
const ANSWERS_WITHIN_MS = 800

/** What no VXLAN device takes for a packet: it has no flag that says that it has a VNI (RFC 7348 section 5), and nothing behind it. */
const NO_VXLAN = Buffer.alloc(8)

/** ICMP errors as the kernel hands them to a connected socket (net/ipv4/icmp.c: icmp_err_convert). */
const SAYS: Readonly<Record<string, string>> = {
  EINVAL: 'refused by a blackhole among the routes of this host',
  EHOSTUNREACH: 'host unreachable, or administratively prohibited',
  ENETUNREACH: 'network unreachable',
  EACCES: 'prohibited by a route, or by the firewall of this host',
  EPERM: 'operation not permitted: the firewall of this host drops it',
}

/** Sends a datagram, and waits for an ICMP error. Never rejects. */
export function knock(to: Ip, port: number, signal: AbortSignal): Promise<Knock> {
  return new Promise((resolve) => {
    const socket = createSocket(to.family === 4 ? 'udp4' : 'udp6')
    const end = (knock: Knock): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      socket.removeAllListeners()
      socket.on('error', () => undefined)
      socket.close()
      resolve(knock)
    }
    const stop = (): void => {
      end({ is: 'silence' })
    }
    const refuse = (error: Error): void => {
      end(answerFor(error))
    }
    const timer = setTimeout(stop, ANSWERS_WITHIN_MS)
    signal.addEventListener('abort', stop, { once: true })
    socket.once('error', refuse)
    socket.connect(port, to.text, (error?: Error) => {
      if (error instanceof Error) refuse(error)
      else
        socket.send(NO_VXLAN, (failed) => {
          if (failed !== null) refuse(failed)
        })
    })
  })
}

function answerFor(error: Error): Knock {
  const code = 'code' in error ? String(error.code) : error.message
  return code === 'ECONNREFUSED' ? { is: 'closed' } : { is: 'refused', says: SAYS[code] ?? code }
}

/** Asks other hosts. @param echoes closed by who has made it */
export const linuxProbes = (echoes: EchoAsker, clock: Clock, signal: AbortSignal): Probes => ({
  echo: (to, { source, octets }) => echoes.ask(to, source, octets),
  knock: (to, port) => knock(to, port, signal),
  holders: (link, address) => holdersOf(link, address, clock, signal),
})
