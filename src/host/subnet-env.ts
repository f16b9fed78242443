import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gatewayOf, type OverlayNetwork } from '../config/network.ts'
import type { Family } from '../net/ip.ts'
import { parsePrefix, type Prefix } from '../net/prefix.ts'

/** What Docker, CNI and systemd units read. */
export interface SubnetEnv {
  /** Our subnets with the overlay each belongs to, IPv4 before IPv6. */
  readonly subnets: readonly { readonly overlay: OverlayNetwork; readonly subnet: Prefix }[]
  /** Octets, of the overlay device. */
  readonly mtu: number
  readonly ipMasq: boolean
}

const NAMES: Readonly<Record<Family, { readonly network: string; readonly subnet: string }>> = {
  4: { network: 'FLANNEL_NETWORK', subnet: 'FLANNEL_SUBNET' },
  6: { network: 'FLANNEL_IPV6_NETWORK', subnet: 'FLANNEL_IPV6_SUBNET' },
}

/** FLANNEL_SUBNET carries the first usable address, which the container bridge takes. */
export function renderSubnetEnv(env: SubnetEnv): string {
  const lines = env.subnets.flatMap(({ overlay, subnet }) => [
    `${NAMES[overlay.family].network}=${overlay.network.text}`,
    `${NAMES[overlay.family].subnet}=${gatewayOf(subnet).text}/${subnet.length}`,
  ])
  return [...lines, `FLANNEL_MTU=${env.mtu}`, `FLANNEL_IPMASQ=${env.ipMasq}`, ''].join('\n')
}

/** Subnets named in a subnet file, as far as they can be read; other lines are ignored. */
export function parseSubnets(text: string): readonly Prefix[] {
  const values = new Map(text.split('\n').map((line) => splitAssignment(line.trim())))
  return ([4, 6] as const).flatMap((family) => {
    const subnet = parsePrefix(values.get(NAMES[family].subnet) ?? '')
    return subnet?.family === family ? [subnet] : []
  })
}

function splitAssignment(line: string): readonly [string, string] {
  const [name = '', ...value] = line.split('=')
  return [name, value.join('=').replace(/^(["'])(.*)\1$/, '$2')]
}

/** The previous run's subnets; none when there is no file or it cannot be read. */
export const readPreviousSubnets = (path: string): Promise<readonly Prefix[]> =>
  readFile(path, 'utf8').then(parseSubnets, () => [])

/**
 * Puts `text` at `path` so that a reader sees either the old file or the whole new one, also after a power cut: written aside,
 * flushed, renamed. Mode 0644; missing directories are made.
 * @throws the file system's own error; nothing is left behind then
 */
export async function writeFileAtomically(path: string, text: string): Promise<void> {
  const directory = dirname(path)
  await mkdir(directory, { recursive: true, mode: 0o755 })
  const aside = join(directory, `.${randomUUID()}.tmp`)
  try {
    const file = await open(aside, 'wx', 0o644)
    try {
      await file.chmod(0o644)
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(aside, path)
  } catch (error) {
    await rm(aside, { force: true })
    throw error
  }
}
