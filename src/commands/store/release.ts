import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { leaseNamed, release, undoing, useOf } from '../../admin/release.ts'
import { RELEASE, RELEASE_FORCE } from '../../cli/specs/release.ts'
import type { CommandCall } from '../../cli/commands.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import type { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import { ConfigError } from '../../config/error.ts'
import { parseLeaseKey } from '../../lease/codec.ts'
import { rivalAnswersWithinMs } from '../../lease/proof.ts'
import { parsePrefix } from '../../net/prefix.ts'
import { ownerOf } from '../../lease/owner.ts'
import type { LeaseRecord } from '../../lease/store.ts'
import { asJson, asking, type Asking, type Said } from '../asking/asking.ts'
import { Progress } from '../asking/terminal.ts'
import { daemonSettings, type DaemonSettings } from '../settings/daemon-settings.ts'
import { refuseKubernetes } from '../settings/open-kube.ts'
import { withStore } from '../settings/open-store.ts'
import { nothingThere, placeOf, sayTo, type Place } from './place.ts'
import { releaseOurs } from './release-ours.ts'

/** `flanneld release`. */
export const run = (call: CommandCall): Promise<number> =>
  asking(RELEASE, call, (asked) => {
    const settings = daemonSettings(asked.own)
    const { options, from } = settings
    refuseKubernetes(options, 'release', 'nothing is leased: kubectl delete node NAME gives the podCIDR of a Node back')
    const [named] = asked.operands
    if (named !== undefined && !asked.value(RELEASE_FORCE)) requireSubnet(named)
    return withStore({ ...options, from }, sayTo(asked), (store) =>
      named === undefined ? releaseOurs(asked, store, settings) : releaseNamed(asked, store, settings, named),
    )
  })

/** Nobody waits for etcd to hear that it was a slip. What stands there under any other name is nobody's lease. @throws {ConfigError} */
function requireSubnet(named: string): void {
  if (parsePrefix(named) !== undefined || parseLeaseKey(named) !== undefined) return
  throw new ConfigError(
    'SUBNET',
    'a subnet such as 10.15.64.0/20, or the key of a lease; with --force, of any key',
    named,
  )
}

async function releaseNamed(
  asked: Asking,
  store: EtcdLeaseStore,
  { options, from }: DaemonSettings,
  named: string,
): Promise<Said> {
  const place = placeOf(options.etcd, from)
  const { records } = await store.list(asked.signal)
  const record = leaseNamed(named, records)
  if (record === undefined) {
    asked.complain(records.length === 0 ? nothingThere(place) : `there is no lease ${named} below ${place.words}`)
    return { text: '', code: EXIT.failed }
  }
  const [progress, waitMs] = [new Progress(), rivalAnswersWithinMs(records.length)]
  const isForced = asked.value(RELEASE_FORCE)
  if (!isForced && useOf(record).is === 'to be asked')
    progress.announce(
      `asking the holder of ${record.key} whether it lives: ${Math.ceil(waitMs / 1_000)} s at most`,
      sayTo(asked),
    )
  const asker = { id: `release ${randomUUID()}`, hostname: hostname(), instance: randomUUID() }
  const released = await release(store, record, { asker, isForced, waitMs }, asked.signal).finally(() => {
    progress.end()
  })
  if (released.is === 'kept') {
    const { why, isForcible } = released
    asked.complain(
      `lease ${record.key} stays: ${why}${isForcible ? '. With --force it is given back all the same' : ''}`,
    )
    return { text: '', code: EXIT.failed }
  }
  return done(asked, record, place)
}

function done(asked: Asking, record: LeaseRecord, place: Place): Said {
  const { key, value } = record
  if (asked.isJson) return { text: asJson({ version: 1, released: true, key, value }), code: EXIT.done }
  const text = `gave back ${key} of ${ownerOf(record)} (${place.words})\nTo undo: ${undoing(record)}\n`
  return { text, code: EXIT.done }
}
