import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  deriveNodeId,
  deriveVtepMac,
  NoIdentityError,
  readNodeId,
  UnreadIdentityError,
} from '../../../src/host/identity.ts'
import { isUnicastMac } from '../../../src/net/mac.ts'

const MACHINE_ID = '0123456789abcdef0123456789abcdef'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'identity-'))
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

async function fileWith(name: string, text: string): Promise<string> {
  await writeFile(join(directory, name), text)
  return join(directory, name)
}

describe('deriveNodeId', () => {
  it('is the same for ever: nodes of an existing overlay would otherwise lose their leases with an update', () => {
    expect(deriveNodeId(MACHINE_ID)).toBe('272bfad480bf714769f72917a38af55a')
  })

  it('does not give the machine id away', () => {
    expect(deriveNodeId(MACHINE_ID)).not.toContain(MACHINE_ID.slice(0, 8))
    expect(deriveNodeId(MACHINE_ID)).not.toBe(deriveNodeId(MACHINE_ID.replace('0', '1')))
  })
})

describe('readNodeId', () => {
  it('reads the first file that holds a machine id', async () => {
    const missing = join(directory, 'missing')
    const uninitialised = await fileWith('uninitialised', 'uninitialized\n')
    const good = await fileWith('good', `${MACHINE_ID}\n`)
    expect(await readNodeId([missing, uninitialised, good])).toBe(deriveNodeId(MACHINE_ID))
  })

  it.each(['', 'uninitialized\n', '0123', MACHINE_ID.toUpperCase(), `${MACHINE_ID} x`])(
    'takes %j for no machine id, and says what to do',
    async (text) => {
      const file = await fileWith('machine-id', text)
      await expect(readNodeId([file])).rejects.toThrow(NoIdentityError)
      await expect(readNodeId([file])).rejects.toThrow(/machine-id.*--node-id/)
    },
  )
})

describe('a machine id that cannot be read', () => {
  it('is not taken for none, and no other stands in for it: that would be another node', async () => {
    const good = await fileWith('good', `${MACHINE_ID}\n`)
    const reading = readNodeId([directory, good]) // a folder opens, and cannot be read: EISDIR
    await expect(reading).rejects.toThrow(UnreadIdentityError)
    await expect(reading).rejects.toThrow(`cannot read the machine id in ${directory}: EISDIR`)
  })
})

describe('deriveVtepMac', () => {
  it('is the same for ever', () => {
    expect(deriveVtepMac('node-1', 100, 4)).toBe('2a:71:d8:cf:da:9c')
  })

  it('differs by node, VNI and family', () => {
    const macs = [
      deriveVtepMac('node-1', 100, 4),
      deriveVtepMac('node-2', 100, 4),
      deriveVtepMac('node-1', 101, 4),
      deriveVtepMac('node-1', 100, 6),
    ]
    expect(new Set(macs).size).toBe(4)
  })

  it('is unicast and locally administered, and does not collide among ten thousand nodes', () => {
    const macs = Array.from({ length: 10_000 }, (_, node) => deriveVtepMac(`node-${node}`, 1, 4))
    expect(macs.every((mac) => isUnicastMac(mac) && /^.[26ae]/.test(mac))).toBe(true)
    expect(new Set(macs).size).toBe(10_000)
  })
})
