import { KernelError } from '../../kernel/kernel.ts'
import { DeviceConflictError } from '../device/kind.ts'
import { DeviceError } from '../device-keeper.ts'
import type { TunnelSettings } from './settings.ts'

/** In words that name the cause and the cure; what is no refusal of a device or a socket of this backend comes back as it is. */
export function explainRefusal(error: unknown, settings: TunnelSettings): unknown {
  if (!(error instanceof KernelError)) return error
  switch (error.op) {
    case 'tun.open':
      return ofDevice(error)
    case 'udp.bind':
      return ofSocket(error, settings)
    default:
      return error
  }
}

/** Documentation/networking/tuntap.rst, tun_chr_open and tun_set_iff (drivers/net/tun.c). */
function ofDevice(cause: KernelError): Error {
  const other = cause.code === 'EISDIR' ? 'a folder' : 'a file or another device'
  switch (cause.code) {
    case 'ENOENT':
      return new DeviceError(
        '/dev/net/tun is not there: load the driver (modprobe tun); a container needs it from its host (--device /dev/net/tun), a unit of systemd no PrivateDevices=',
        { cause },
      )
    case 'EISDIR':
    case 'ENOTTY':
      return new DeviceError(
        `what stands at /dev/net/tun is not the TUN driver, but ${other} (ls -l /dev/net/tun): remove it, then mknod /dev/net/tun c 10 200 and modprobe tun; a container gets it from its host (--device /dev/net/tun)`,
        { cause },
      )
    case 'ENODEV':
    case 'ENXIO':
      return new DeviceError(
        'the kernel makes no TUN devices: load the driver (modprobe tun), or use another Backend.Type, such as vxlan',
        { cause },
      )
    case 'EACCES':
    case 'EPERM':
      return new DeviceError(
        `a TUN device may not be made (${cause.code}): the agent needs CAP_NET_ADMIN, and may have to be let use /dev/net/tun (a unit of systemd: DeviceAllow=/dev/net/tun rw; a container: --device /dev/net/tun)`,
        { cause },
      )
    default:
      return cause
  }
}

function ofSocket(cause: KernelError, { address, port }: TunnelSettings): Error {
  switch (cause.code) {
    case 'EADDRINUSE':
      return new DeviceConflictError(
        `UDP port ${port} of ${address.text}, by which peers are reached, is taken by another program; ` +
          `stop it (ss -ulnp sport = :${port} shows it), or configure another Backend.Port, on all nodes`,
        { cause },
      )
    case 'EADDRNOTAVAIL':
      return new DeviceError(`${address.text}, from which packets are sent to peers, is not an address of this host`, {
        cause,
      })
    default:
      return cause
  }
}
