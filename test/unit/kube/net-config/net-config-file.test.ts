import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseNetworkConfig } from '../../../../src/config/network.ts'
import { systemClock } from '../../../../src/host/system-clock.ts'
import { NetConfigFile } from '../../../../src/kube/net-config/net-config-file.ts'

let folder: string
let stop: AbortController
const path = (): string => join(folder, 'net-conf.json')
const file = (): NetConfigFile => new NetConfigFile(path(), systemClock)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'net-config-'))
  stop = new AbortController()
})
afterEach(() => {
  stop.abort()
  rmSync(folder, { recursive: true })
})

/** As the kubelet lays a ConfigMap out: each version in a folder of its own, which a link names that is exchanged as a whole. */
async function mount(version: string, text: string): Promise<void> {
  await mkdir(join(folder, version))
  await writeFile(join(folder, version, 'net-conf.json'), text)
  await symlink(version, join(folder, '..data_tmp'))
  await rename(join(folder, '..data_tmp'), join(folder, '..data'))
}

describe('the network configuration in a file', () => {
  it('is what stands there, and not there yet where there is none', async () => {
    expect(await file().read()).toBeUndefined()
    expect(await new NetConfigFile(join(path(), 'below'), systemClock).read()).toBeUndefined()
    expect(file().missing().message).toContain(path())
    await writeFile(path(), '{"Network":"10.244.0.0/16"}')
    expect(await file().read()).toBe('{"Network":"10.244.0.0/16"}')
    expect(await new NetConfigFile(join(path(), 'below'), systemClock).read()).toBeUndefined()
  })

  it('is not waited for in a FIFO or a folder: that is said', async () => {
    await expect(new NetConfigFile(folder, systemClock).read()).rejects.toThrow('is a directory')
    await expect(new NetConfigFile('/dev/zero', systemClock).read()).rejects.toThrow('is a character device')
  })

  it('is followed through exchanges of the ConfigMap, deletion, and whatever else happens beside it', async () => {
    await mount('..1', 'one')
    await symlink('..data/net-conf.json', path())
    const said = file().watch(stop.signal)
    expect((await said.next()).value).toBe('one')
    const next = said.next()
    await writeFile(join(folder, 'other.json'), 'nothing of ours')
    await mount('..2', 'two')
    expect((await next).value).toBe('two')
    const gone = said.next()
    await rm(path())
    expect(await gone).toEqual({ done: false, value: undefined })
    const again = said.next()
    await writeFile(path(), 'three')
    expect((await again).value).toBe('three')
    const last = said.next()
    stop.abort()
    expect((await last).done).toBe(true)
  })

  it('keeps what it said last while it cannot be read', async () => {
    await writeFile(path(), 'one')
    const said = file().watch(stop.signal)
    expect((await said.next()).value).toBe('one')
    const next = said.next()
    await rm(path())
    await mkdir(path())
    await rm(path(), { recursive: true })
    await writeFile(path(), 'two')
    const { value } = await next
    expect(value === undefined ? (await said.next()).value : value).toBe('two')
  })

  it('has IPv4, alone or beside IPv6', () => {
    const check = (text: string): void => {
      file().check(parseNetworkConfig(text))
    }
    check('{"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:244::/48"}')
    expect(() => {
      check('{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:244::/48"}')
    }).toThrow('IPv6 alone')
  })
})
