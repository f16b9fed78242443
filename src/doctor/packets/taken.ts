import type { LinkState } from '../../kernel/kernel.ts'
import type { Family } from '../../net/ip.ts'
import type { Check, Finding } from '../finding.ts'
import type { HostReads, OverlayHere, ProgramHere, View } from '../view.ts'
import { SILENCE } from '../silence.ts'
import { FOR_ALL } from './words.ts'

/** Whether another device has our VNI, or another device or a program the UDP port that ours must listen on. */
export const taken: Check<View> = {
  name: 'who else has the VNI and the UDP port',
  async look({ overlay, host }, signal) {
    const links = await host.kernel.links(signal)
    const found: Finding[] = []
    for (const here of await overlay()) {
      found.push(...judgeDevices(here, links))
      found.push(...judgePrograms(here, await socketsOn(host, here)))
    }
    return found
  },
}

/** Nothing can be set up over a device that is not there, and the subnet file is written after it. */
const explainedBy = (device: string): readonly string[] => [
  ...[`device ${device}`, 'forwarding of IPv*', 'tables of IPv*', 'subnet file', ...SILENCE],
]

/** Devices on an IPv4 and on an IPv6 underlay are never in each other's way (VXLAN_F_IPV6). */
const isOfFamily = ({ vxlan }: LinkState, family: Family): boolean => (vxlan?.local?.family ?? 4) === family

/** Pure. */
export function judgeDevices({ family, device }: OverlayHere, links: readonly LinkState[]): readonly Finding[] {
  if (device?.port === undefined || device.vni === undefined) return []
  const { name: ours, vni, port } = device
  const own = links.find(({ index }) => index === device.index)
  const others = links.filter((link) => link.name !== ours && link.vxlan?.port === port && isOfFamily(link, family))
  return others.flatMap((link): readonly Finding[] => {
    const common = {
      ...{ ...FOR_ALL, explains: explainedBy(ours) },
      evidence: [`ip -d link show ${link.name}: vxlan id ${link.vxlan?.vni ?? '?'} dstport ${port}`],
    }
    const cure = `ip link delete ${link.name}, if nobody needs it; else configure another`
    if (link.vxlan?.vni === vni)
      return [
        {
          ...{ ...common, cause: 'vni-taken', cure: [`${cure} Backend.VNI or Backend.Port, on all nodes`] },
          summary: `the device ${link.name} has VNI ${vni} on UDP port ${port}, which ${ours} is to have`,
        },
      ]
    if (own?.up === true || !link.up) return [] // the port can be shared by devices that receive alike
    return [
      {
        ...{ ...common, cause: 'udp-port-taken', cure: [`${cure} Backend.Port, on all nodes`] },
        summary: `the device ${link.name} listens on UDP port ${port} with other settings than ${ours}, and does not share it`,
      },
    ]
  })
}

interface SocketHere {
  readonly inode: string
  readonly holder: ProgramHere | undefined
}

const FILES = { 4: ['udp'], 6: ['udp6'] } as const

/** Sockets on the port: of programs, and of the kernel's devices. A socket of IPv6 may take IPv4's packets as well. */
async function socketsOn(host: HostReads, { family, device }: OverlayHere): Promise<readonly SocketHere[]> {
  const found: SocketHere[] = []
  if (device?.port === undefined) return found
  for (const file of new Set(['udp6', ...FILES[family]])) {
    const text = await host.text(`/proc/self/net/${file}`)
    for (const inode of inodesOn(text ?? '', device.port)) found.push({ inode, holder: await host.holderOf(inode) })
  }
  return found
}

/** Column of the inode, and of the local address and port, in /proc/net/udp (proc_pid_net(5)). */
const LOCAL = 1
const INODE = 9

/** Pure. */
export function inodesOn(table: string, port: number): readonly string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return table.split('\n').flatMap((line) => {
    const columns = line.trim().split(/\s+/)
    const inode = columns[INODE] ?? '0'
    return columns[LOCAL]?.endsWith(suffix) === true && inode !== '0' ? [inode] : []
  })
}

/** Pure. What no process holds is the kernel's own: our device's, or another's, which is seen as a link. */
export function judgePrograms({ device }: OverlayHere, sockets: readonly SocketHere[]): readonly Finding[] {
  const isOther = (pid: number): boolean => pid !== device?.carrier
  const [held] = sockets.flatMap(({ inode, holder }) =>
    holder !== undefined && isOther(holder.pid) ? [{ inode, holder }] : [],
  )
  if (held === undefined || device?.port === undefined) return []
  const { name, port } = device
  const { inode, holder } = held
  return [
    {
      ...{ cause: 'udp-port-taken', ...FOR_ALL, explains: explainedBy(name) },
      summary: `the program ${holder.name} (process ${holder.pid}) has UDP port ${port}, on which ${name} is to listen`,
      evidence: [
        `ss -ulnp 'sport = :${port}': ${holder.name}, pid ${holder.pid}`,
        `/proc/net/udp: a socket on that port, with inode ${inode}`,
      ],
      cure: [
        `kill ${holder.pid}; or have its service use another port, or configure another Backend.Port, on all nodes`,
      ],
    },
  ]
}
