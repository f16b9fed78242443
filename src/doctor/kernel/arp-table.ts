import { parseMac, type Mac } from '../../net/mac.ts'

/** ATF_COM, ATF_PERM: complete, written by hand (linux/if_arp.h). */
const [COMPLETE, PERMANENT] = [2, 4]

/** An IPv4 neighbour whose MAC is known. */
export interface ArpRow {
  readonly address: string
  readonly mac: Mac
  readonly device: string
  readonly isPermanent: boolean
}

const rowsOf = (text: string): readonly (readonly string[])[] =>
  text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([address]) => address !== '')

/** MAC by IPv4 address; undefined where nobody answered for it. */
export type ArpTable = ReadonlyMap<string, string | undefined>

/** /proc/net/arp. Pure. Columns: IP address, HW type, flags, HW address, mask, device (proc_pid_net(5)). */
export const readArpTable = (text: string): ArpTable =>
  new Map(
    rowsOf(text).flatMap(([address, , flags, mac]) =>
      address === undefined ? [] : [[address, (Number(flags) & COMPLETE) === 0 ? undefined : mac] as const],
    ),
  )

/** The same with all that it says. Pure. */
export const readArpRows = (text = ''): readonly ArpRow[] =>
  rowsOf(text).flatMap(([address = '', , flags, hardware = '', , device = '']) => {
    const mac = parseMac(hardware)
    if (mac === undefined || (Number(flags) & COMPLETE) === 0) return []
    return [{ address, mac, device, isPermanent: (Number(flags) & PERMANENT) !== 0 }]
  })
