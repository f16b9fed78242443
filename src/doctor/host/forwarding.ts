import type { Finding } from '../finding.ts'

export interface ForwardingFacts {
  /** As sysctl(8) has it: `net.ipv4.ip_forward`. */
  readonly setting: string
  /** Undefined: there is no such setting. */
  readonly value: string | undefined
  /** Whether /proc/sys, or a folder in it, is mounted read-only here, as in containers. */
  readonly isReadOnly: boolean
}

/** Whether the mounts of this process have /proc/sys, or a folder on the way to what matters here, read-only (proc(5), /proc/self/mounts). Pure. */
export function isProcSysReadOnly(mounts: string): boolean {
  const writable = new Map<string, boolean>()
  for (const line of mounts.split('\n')) {
    const [, place = '', , options = ''] = line.split(' ')
    if (['/proc', '/proc/sys', '/proc/sys/net'].includes(place)) writable.set(place, !options.split(',').includes('ro'))
  }
  return !(writable.get('/proc/sys/net') ?? writable.get('/proc/sys') ?? writable.get('/proc') ?? true)
}

/** Pure. */
export function judgeForwarding({ setting, value, isReadOnly }: ForwardingFacts): readonly Finding[] {
  if (value === undefined || value !== '0') return []
  const common = { severity: 'broken', explains: [setting] } as const
  const permanent = `echo '${setting} = 1' > /etc/sysctl.d/50-flannel.conf`
  const shows = `sysctl ${setting}: 0`
  if (isReadOnly)
    return [
      {
        ...common,
        cause: 'ip-forward-read-only',
        summary: `this host does not forward (${setting} is 0), and the agent cannot turn it on: /proc/sys is read-only in its container`,
        evidence: [shows, 'grep /proc/sys /proc/self/mounts: ro'],
        cure: [
          `outside of the container: sysctl -w ${setting}=1 && ${permanent}`,
          `or start the container with --sysctl ${setting}=1, or --privileged`,
        ],
      },
    ]
  return [
    {
      ...common,
      cause: 'ip-forward-off',
      summary: `this host does not forward: ${setting} is 0, so that nothing that comes over the overlay reaches a container`,
      evidence: [shows],
      cure: [
        `sysctl -w ${setting}=1 && ${permanent}`,
        `who turns it off again: grep -rs forward /etc/sysctl.conf /etc/sysctl.d /etc/ufw/sysctl.conf`,
      ],
      fix: [['sysctl', '-w', `${setting}=1`]],
    },
  ]
}

/** What comes in by one interface is not passed on, though the host forwards (IPv4 alone). Pure. */
export function judgeForwardingFrom(link: string, value: string | undefined): readonly Finding[] {
  if (value !== '0') return []
  const setting = `net.ipv4.conf.${link.replaceAll('.', '/')}.forwarding`
  return [
    {
      cause: 'forwarding-off-on-interface',
      severity: 'broken',
      summary: `what comes in by ${link} is not passed on: ${setting} is 0, though the host forwards`,
      evidence: [`sysctl ${setting}: 0`, 'sysctl net.ipv4.ip_forward: 1'],
      cure: [`sysctl -w ${setting}=1, and the same in /etc/sysctl.d`],
      fix: [['sysctl', '-w', `${setting}=1`]],
      explains: [setting],
    },
  ]
}
