import { expect } from 'vitest'
import { waitFor, type Lab, type LabHost } from '../../lab/index.ts'
import { objectAt, parseObject, textAt } from '../../lab/json.ts'
import { ETCD_PREFIX } from '../../lab/lab.ts'
import { readAddresses } from '../../lab/tables.ts'
import { leaseOf, readLease } from '../../lab/expected-tables.ts'
import { DEVICE } from '../../lab/use-lab.ts'

/** Name below PREFIX/subnets/ of the lease that the host holds. */
export const leaseNameOf = async (lab: Lab, host: LabHost): Promise<string> =>
  (await leaseOf(lab, host)).subnet.replace('/', '-')

/** One lease key in full. */
export interface LeaseKey {
  readonly value: string
  /** In hexadecimal, as etcdctl takes it; undefined when the key is on no etcd lease. */
  readonly etcdLease: string | undefined
  readonly modRevision: string
}

/** Undefined while there is no such key. */
export async function readLeaseKey(lab: Lab, name: string): Promise<LeaseKey | undefined> {
  const answer = await lab.etcdctl('get', `${ETCD_PREFIX}/subnets/${name}`, '-w', 'json')
  // 64-bit numbers: read from the text, since JSON numbers lose their low bits
  const digits = (field: string): string | undefined => new RegExp(`"${field}":(\\d+)`).exec(answer)?.[1]
  const [, value] = /"value":"([^"]+)"/.exec(answer) ?? []
  if (value === undefined) return undefined
  const etcdLease = digits('lease')
  return {
    value: Buffer.from(value, 'base64').toString(),
    etcdLease: etcdLease === undefined ? undefined : BigInt(etcdLease).toString(16),
    modRevision: digits('mod_revision') ?? '',
  }
}

/** Node id that a lease carries. */
export const nodeIdIn = (value: string): string | undefined => textAt(objectAt(parseObject(value), 'Node'), 'ID')

/** The host holds exactly one lease, on an etcd lease, and its device and subnet file agree with it. */
export async function holdsOneLease(lab: Lab, host: LabHost): Promise<void> {
  const file = await host.ready()
  const own = (await lab.leases()).filter(({ value }) => readLease({ ...NO_STORED, value }).publicIp === host.address)
  expect(own.map(({ name }) => name.replace('-', '/'))).toEqual([file.subnet.text])
  expect(await readAddresses(host.place, DEVICE)).toEqual([`${file.subnet.base.text}/32`])
}

const NO_STORED = { name: '', modRevision: 0, createRevision: 0, version: 0 }

/** Waits until the subnet file names another subnet than this one. @returns the new one */
export async function subnetOtherThan(host: LabHost, subnet: string, deadlineMs = 15_000): Promise<string> {
  const look = async (): Promise<string | undefined> => {
    const now = (await host.subnetFile())?.subnet.text
    return now === subnet ? undefined : now
  }
  return waitFor(`${host.name} to leave ${subnet}`, look, { deadlineMs })
}
