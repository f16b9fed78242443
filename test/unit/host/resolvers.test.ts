import { expect, it } from 'vitest'
import { readResolvers } from '../../../src/host/resolvers.ts'

const files = (texts: Readonly<Record<string, string>>) => (path: string) => {
  const text = texts[path]
  return text === undefined ? Promise.reject(new Error('ENOENT')) : Promise.resolve(text)
}
const read = async (texts: Readonly<Record<string, string>>) =>
  (await readResolvers(files(texts))).map(({ text }) => text)

const ETC = '/etc/resolv.conf'
const RESOLVED = '/run/systemd/resolve/resolv.conf'

it('are the servers of resolv.conf, without comments, other lines and addresses of a link', async () => {
  const text =
    '# nameserver 9.9.9.9\nsearch example\nnameserver 10.15.3.53\n\tnameserver\t2001:db8::53 \nnameserver fe80::1%eth0\nnameserver name\n'
  expect(await read({ [ETC]: text, [RESOLVED]: 'nameserver 10.15.4.53\n' })).toEqual(['10.15.3.53', '2001:db8::53'])
})

it('are those that a resolver on this host asks in turn', async () => {
  expect(await read({ [ETC]: 'nameserver 127.0.0.53\n', [RESOLVED]: 'nameserver 10.15.4.53\n' })).toEqual([
    '10.15.4.53',
  ])
  const manager = { '/run/NetworkManager/no-stub-resolv.conf': 'nameserver 10.15.5.53\nnameserver 127.0.0.1\n' }
  expect(await read({ [ETC]: 'nameserver 127.0.0.1\n', ...manager })).toEqual(['10.15.5.53'])
})

it('are none where nothing can be read', async () => {
  expect(await read({})).toEqual([])
})
