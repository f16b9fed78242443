import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { isSecretName, redact, secretsInUrl } from '../../../src/bugreport/redact.ts'
import { tar } from '../../../src/bugreport/tar.ts'

describe('what a report must not hold', () => {
  it.each([
    ['FLANNELD_ETCD_PASSWORD=hunter2', 'hunter2'],
    ['export FLANNELD_ETCD_PASSWORD="hunter2 with blanks"', 'with blanks'],
    ["FLANNELD_OPTS='--etcd-password hunter2 --iface eth0'", 'hunter2'],
    ['FLANNELD_OPTS="--etcd-password=hunter2"', 'hunter2'],
    ['-etcd-password hunter2', 'hunter2'],
    ['"--etcd-password", "hunter2"', 'hunter2'],
    ['{"password":"hunter2"}', 'hunter2'],
    ['{"message":"{\\"apiKey\\":\\"hunter2\\"}"}', 'hunter2'],
    ['MY_TOKEN: hunter2', 'hunter2'],
    ['AWS_SECRET_ACCESS_KEY=hunter2', 'hunter2'],
    ['etcd-keyfile=/etc/etcd/hunter2.pem', 'hunter2'],
    ['--etcd-keyfile /etc/etcd/hunter2.pem', 'hunter2'],
    ['Authorization: Bearer hunter2hunter2', 'hunter2'],
    ['http://root:hunter2@10.0.0.1:2379,http://root:hunter2@10.0.0.2:2379', 'hunter2'],
    ['http://hunter2@10.0.0.1:2379', 'hunter2'],
    ['-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----', 'hunter2'],
    ['-----BEGIN PRIVATE KEY-----\nhunter2\ncut off', 'hunter2'],
  ])('is taken out of %s', (text, secret) => {
    expect(redact(text, [])).not.toContain(secret)
    expect(redact(text, [])).toContain('[removed]')
  })

  it('is taken out wherever it stands, where it is known, and however it is written', () => {
    const secret = 'p@ss "word"/1'
    const text = [secret, encodeURIComponent(secret), JSON.stringify(secret), Buffer.from(secret).toString('base64')]
    expect(redact(text.join(' '), [secret])).toBe('[removed] [removed] "[removed]" [removed]')
    expect(redact('abcd abcdef', ['abcd', 'abcdef'])).toBe('[removed] [removed]')
  })

  it.each([
    'inet 10.0.0.1/8 brd 10.255.255.255 scope global eth0',
    'FLANNELD_ETCD_ENDPOINTS=http://10.0.0.1:2379',
    'FLANNELD_IFACE=eth0',
    '10.15.16.0/20 via 10.15.16.0 dev flannel.1 proto 70 metric 1000 onlink',
    '{"key":"10.15.16.0-20","modRevision":"7"}',
    'user@host wrote: keys are listed',
  ])('is all that is taken out: %s stays', (text) => {
    expect(redact(text, ['no'])).toBe(text)
  })

  it('takes time in proportion to the text, whatever it is made of', () => {
    for (const part of ['a', 'password', '"', '\\', 'http://', '-----BEGIN PRIVATE KEY-----', '--token ']) {
      const text = part.repeat(300_000 / part.length)
      expect(redact(text, []).length).toBeLessThanOrEqual(text.length * 2)
    }
  })

  it('is known by the name of its variable, or stands in a URL', () => {
    expect(
      ['GITHUB_TOKEN', 'etcd_passwd', 'DB_PASSWORD', 'ETCD_KEYFILE', 'PATH', 'HOME', 'KEY'].map(isSecretName),
    ).toEqual([true, true, true, true, false, false, false])
    expect(secretsInUrl('https://root:pa:ss@host')).toEqual(['root', 'pa:ss'])
    expect(secretsInUrl('https://host')).toEqual([])
  })
})

describe('an archive', () => {
  it('is read by tar, with every file for its owner alone', () => {
    const files = [
      { path: 'report/empty.txt', text: '' },
      { path: 'report/a.txt', text: 'ä'.repeat(256) },
      { path: 'report/b.json', text: '{}\n' },
    ]
    const input = tar(files, 1_764_471_600)
    const list = spawnSync('tar', ['-tv', '--utc'], { input, encoding: 'utf8' })
    expect([list.status, list.stderr]).toEqual([0, ''])
    expect(
      list.stdout.split('\n').map((line) =>
        line
          .split(/\s+/)
          .filter((_, at) => at !== 1)
          .join(' '),
      ),
    ).toEqual([
      '-rw------- 0 2025-11-30 03:00 report/empty.txt',
      '-rw------- 512 2025-11-30 03:00 report/a.txt',
      '-rw------- 3 2025-11-30 03:00 report/b.json',
      '',
    ])
    const content = spawnSync('tar', ['-xO', 'report/a.txt'], { input, encoding: 'utf8' })
    expect(content.stdout).toBe('ä'.repeat(256))
  })
})
