import { expect, it } from 'vitest'
import { hideSecret } from '../../../src/config/secrets.ts'

it.each([
  ['http://a:b@c,d@e f', 'http://…@c,…@e f'],
  ['HTTPS://me:p/w@d@10.0.0.1', 'HTTPS://…@10.0.0.1'],
  ['--etcd-password=hush\nhush', '--etcd-password=…'],
  ['-etcd-password=a@b', '-etcd-password=…'],
  ['/etc/ssl/ca.pem', '/etc/ssl/ca.pem'],
])('%j is shown as %j', (text, shown) => {
  expect(hideSecret(text)).toBe(shown)
})
