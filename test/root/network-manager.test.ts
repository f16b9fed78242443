import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DEVICE, DEVICE6, DUAL, useLab } from '../lab/use-lab.ts'
import { waitFor, type Script } from '../lab/index.ts'

const OURS = readFileSync(
  join(import.meta.dirname, '../../packaging/network/NetworkManager/flannel-agent.conf'),
  'utf8',
)

/** On the simulated host, whose /run is its own. */
const FOLDER = '/run/nm'

/** A bus on which everybody may say everything. */
const BUS = `<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>`

/** Its own list of devices; the last file that sets it counts. */
const OPERATORS_LIST = '[keyfile]\nunmanaged-devices=interface-name:wlan0\n'

/** /sys for reading only, so that NetworkManager does not wait for a udev to speak about each device. */
const START = `
mount -t sysfs -o ro sysfs /sys
rm -rf /run/dbus /run/NetworkManager
mkdir -p /run/dbus /run/NetworkManager /run/state
mount --bind /run/state /var/lib
mkdir -p /var/lib/NetworkManager
dbus-daemon --config-file=${FOLDER}/bus.conf --nofork --nopidfile &
until [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done
exec NetworkManager --no-daemon --config=${FOLDER}/NetworkManager.conf --config-dir=${FOLDER}/etc \
  --system-config-dir=${FOLDER}/lib --pid-file=/run/nm.pid > ${FOLDER}/log 2>&1`

describe('NetworkManager', () => {
  const lab = useLab({ hosts: 1 })
  let running: Script | undefined

  const write = (path: string, text: string): Promise<string> =>
    lab()
      .host(0)
      .place.exec('sh', ['-c', 'mkdir -p "${0%/*}"; cat > "$0"', `${FOLDER}/${path}`], { input: text })
  const begin = (): void => {
    const inside = `exec unshare --mount --pid --fork --kill-child sh -c '${START}'`
    running = lab().host(0).startScript(inside)
  }
  /** What it says of a device, or why it does not. */
  const state = async (device: string): Promise<string> => {
    const fields = ['-t', '-f', 'GENERAL.STATE', 'device', 'show', device]
    const { code, stdout, stderr } = await lab().host(0).place.attempt('nmcli', fields)
    return code === 0 ? (/\((.*)\)$/.exec(stdout.trim())?.[1] ?? stdout) : stderr
  }
  const log = (): Promise<string> =>
    lab()
      .host(0)
      .place.exec('tail', ['-n8', `${FOLDER}/log`])
  /** @throws with the end of its log, where it does not come to that */
  const settled = async (device: string, wanted: string): Promise<void> => {
    const asWanted = async (): Promise<true> => {
      expect(await state(device)).toBe(wanted)
      return true
    }
    try {
      await waitFor(`${device} to be ${wanted}`, asWanted, { deadlineMs: 20_000 })
    } catch (error) {
      throw new Error(`${String(error)}\n${await log()}`, { cause: error })
    }
  }

  beforeAll(async () => {
    await lab().putConfig(DUAL)
    await lab().startAgents()
    await lab().host(0).ready()
    await write('bus.conf', BUS)
    await write('NetworkManager.conf', '[main]\nplugins=keyfile\n')
    await write('etc/operator.conf', OPERATORS_LIST)
    await write('lib/none.conf', '')
  })
  afterAll(() => running?.end())

  test('takes our devices for its own where it is not told to leave them', async () => {
    begin()
    await settled(DEVICE, 'connected (externally)')
    await running?.end()
  })

  test('leaves them alone where our file lies, whatever list of devices the operator has', async () => {
    await write('lib/flannel-agent.conf', OURS)
    begin()
    await settled('eth0', 'connected (externally)')
    for (const device of [DEVICE, DEVICE6]) await settled(device, 'unmanaged')
  })
})
