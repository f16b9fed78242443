import { createSocket } from 'node:dgram'
import type { Ip } from '../../net/ip.ts'
import type { Clock } from '../../time/clock.ts'
import type { Knock, Probes } from '../view.ts'
import { holdersOf } from './arp.ts'
import type { EchoAsker } from './icmp.ts'
import { watchTunnels } from './tunnel-sight.ts'

/** An answer that has not come after this long does not come, in milliseconds: four times what goes around the earth. */
const ANSWERS_WITHIN_MS = 800

/** What no VXLAN device takes for a packet: it has no flag that says that it has a VNI (RFC 7348 section 5), and nothing behind it. */
const NO_VXLAN = Buffer.alloc(8)

/** ICMP errors as the kernel hands them to a connected socket (net/ipv4/icmp.c: icmp_err_convert; net/ipv6/icmp.c: tab_unreach). */
const SAYS: Readonly<Record<string, string>> = {
  EHOSTUNREACH: 'host unreachable, or administratively prohibited',
  ENETUNREACH: 'network unreachable',
  EACCES: 'administratively prohibited',
}

/** Why a packet does not leave this host: routes, rules of the firewall or policies of IPsec (ip(7), udp(7)). */
const UNSENT: Readonly<Record<string, string>> = {
  EINVAL: 'a blackhole among the routes of this host',
  EHOSTUNREACH: 'a route or rule of this host says unreachable',
  ENETUNREACH: 'no route of this host leads there',
  EACCES: 'a route or rule of this host says prohibit',
  EPERM: 'its firewall drops it, or a policy of IPsec does',
  EAGAIN: 'a policy of IPsec waits for its keys',
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
    const keep = (error: Error): void => {
      const code = codeOf(error)
      end({ is: 'unsent', says: UNSENT[code] ?? code })
    }
    const timer = setTimeout(stop, ANSWERS_WITHIN_MS)
    signal.addEventListener('abort', stop, { once: true })
    socket.once('error', (error) => {
      end(answerFor(codeOf(error)))
    })
    // Nothing has been sent before, so that nobody else can have refused it.
    socket.connect(port, to.text, (error?: Error) => {
      if (error instanceof Error) keep(error)
      else
        socket.send(NO_VXLAN, (failed) => {
          if (failed !== null) keep(failed)
        })
    })
  })
}

const codeOf = (error: Error): string => ('code' in error ? String(error.code) : error.message)

const answerFor = (code: string): Knock =>
  code === 'ECONNREFUSED' ? { is: 'closed' } : { is: 'refused', says: SAYS[code] ?? code }

/** Asks other hosts. @param echoes closed by who has made it */
export const linuxProbes = (echoes: EchoAsker, clock: Clock, signal: AbortSignal): Probes => ({
  echo: (to, { source, octets }) => echoes.ask(to, source, octets),
  knock: (to, port) => knock(to, port, signal),
  watch: (link, family, during) => watchTunnels(link, family, during, { clock, signal }),
  holders: (link, address) => holdersOf(link, address, clock, signal),
})
