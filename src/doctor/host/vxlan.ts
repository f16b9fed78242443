import type { FaultStatus } from '../../status/document.ts'
import type { Finding } from '../finding.ts'

export interface VxlanFacts {
  /** `uname -r`. */
  readonly release: string
  /** /sys/module/vxlan is there: it is loaded, or a part of the kernel. */
  readonly isLoaded: boolean
  /** What `modprobe -n -v rtnl-link-vxlan` says, which is how the kernel asks for it; undefined: there is no modprobe. */
  readonly dryRun: { readonly code: number; readonly output: string } | undefined
  /** What the agent's device fails with, if it does. */
  readonly fault: FaultStatus | undefined
  /** What the agent calls its condition. */
  readonly condition: string | undefined
}

/** What the kernel says where it has no devices of that kind: `Unknown device type` (net/core/rtnetlink.c), `Operation not supported`. */
const isUnknownKind = ({ error, code }: FaultStatus): boolean => error === 'KernelError' && code === 'EOPNOTSUPP'

/** Whether the kernel has VXLAN, or can get it. Pure. */
export function judgeVxlan({ release, isLoaded, dryRun, fault, condition }: VxlanFacts): readonly Finding[] {
  const isRefused = fault !== undefined && isUnknownKind(fault)
  const insmods = /^(insmod|builtin) /m.test(dryRun?.output ?? '')
  if (!isRefused && (isLoaded || dryRun === undefined || (dryRun.code === 0 && insmods))) return []
  const isBarred = dryRun?.code === 0 && !insmods
  return [
    {
      cause: 'kernel-without-vxlan',
      severity: 'broken',
      summary: `the kernel (${release}) has no VXLAN: ${isBarred ? 'its module is not let in (blacklisted)' : dryRun?.code === 0 ? 'its module is not loaded' : 'its module vxlan is not installed'}`,
      evidence: [
        ...(fault === undefined ? [] : [`the kernel: ${fault.says}`]),
        ...(dryRun === undefined
          ? []
          : [
              `modprobe -n -v rtnl-link-vxlan: ${dryRun.output.trim() || (dryRun.code === 0 ? 'prints nothing' : `exit code ${dryRun.code}`)}`,
            ]),
        `ls /sys/module/vxlan: ${isLoaded ? 'there' : 'no such folder'}`,
      ],
      cure: [
        'modprobe vxlan, and echo vxlan > /etc/modules-load.d/flannel.conf',
        ...(isBarred ? ['grep -rs vxlan /etc/modprobe.d /usr/lib/modprobe.d (the line that bars it)'] : []),
        'where modprobe finds none: apt-get install linux-modules-extra-$(uname -r) (Ubuntu; on a Raspberry Pi linux-modules-extra-raspi), dnf install kernel-modules-extra (Fedora, RHEL), and a reboot where the kernel was upgraded since the last one',
        'in a container: modprobe vxlan on the host itself',
      ],
      fix: [['modprobe', 'vxlan']],
      ...(condition === undefined ? {} : { explains: [condition, 'forwarding*', 'tables of*', 'subnet file'] }),
    },
  ]
}
