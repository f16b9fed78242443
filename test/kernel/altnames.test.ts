import { afterEach, expect, it } from 'vitest'
import { chooseUnderlay } from '../../src/host/underlay/underlay.ts'
import { RtnetlinkKernel } from '../../src/netlink/rtnetlink-kernel.ts'
import { NO_CHOICE } from '../fake/samples.ts'
import { tool } from './real-kernel.ts'

const WORKER = process.pid % 250
/** Names of links are 15 characters at most, altnames 127. */
const [NAME, SHORT, LONG] = [`a${WORKER}`, `alt${WORKER}`, `alternative-name-of-worker-${WORKER}`]
const kernel = new RtnetlinkKernel()

afterEach(() => {
  tool('ip', 'link', 'delete', NAME)
  kernel.close()
})

it('an interface is the underlay by any of its altnames, which come and go with it', async () => {
  const { signal } = new AbortController()
  const find = async (name: string): Promise<string> =>
    (await chooseUnderlay(kernel, { ...NO_CHOICE, ifaces: [name] }, { family: 4, leader: 4 }, signal)).link.name
  tool('ip', 'link', 'add', NAME, 'type', 'veth', 'peer', 'name', `b${WORKER}`)
  tool('ip', 'address', 'add', `198.51.100.${WORKER}/32`, 'dev', NAME)
  await expect(find(LONG)).rejects.toThrow(`${LONG} is not there`)
  tool('ip', 'link', 'property', 'add', 'dev', NAME, 'altname', SHORT, 'altname', LONG)
  expect(await find(SHORT)).toBe(NAME)
  expect(await find(LONG)).toBe(NAME)
  tool('ip', 'link', 'property', 'del', 'dev', NAME, 'altname', LONG)
  await expect(find(LONG)).rejects.toThrow(`${LONG} is not there`)
})
