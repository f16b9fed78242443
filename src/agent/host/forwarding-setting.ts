import {
  forwardingName,
  isOn,
  isOnFrom,
  nameOfForwardingFrom,
  turnOn,
  turnOnFrom,
  type ForwardingPorts,
} from '../../host/forwarding.ts'
import type { Family } from '../../net/ip.ts'
import type { Logger } from '../../observe/logger.ts'

/** A setting of the kernel without which no packet gets from the overlay to a container. */
export interface ForwardingSetting {
  /** As sysctl(8) takes it, and as the condition is called. */
  readonly name: string
  /** What it is good for. */
  readonly because: string
  /** Undefined: what it is a setting of is not there. Rejects with the file system's own error. */
  readonly isOn: () => Promise<boolean | undefined>
  /** Rejects with the file system's own error, or a KernelError. */
  readonly turnOn: (signal: AbortSignal) => Promise<void>
}

/** That of the whole host. */
export const hostSetting = (family: Family, ports: ForwardingPorts & { readonly log: Logger }): ForwardingSetting => ({
  name: forwardingName(family),
  because: 'containers are reached through this host',
  isOn: () => isOn(family, ports),
  turnOn: async (signal) => {
    const { keptRouters } = await turnOn(family, ports, signal)
    for (const iface of keptRouters)
      ports.log.info(
        'router advertisements are heeded although the host forwards, or it would lose its default route',
        { iface, accept_ra: 2 },
      )
  },
})

/** That of our device for IPv4, which comes with whatever conf.default says; for IPv6 no interface has one that counts. */
export const deviceSetting = (device: string, ports: ForwardingPorts): ForwardingSetting => ({
  name: nameOfForwardingFrom(device),
  because: 'what other hosts send is passed on to containers',
  isOn: () => isOnFrom(device, ports),
  turnOn: () => turnOnFrom(device, ports),
})
