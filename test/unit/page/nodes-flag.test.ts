import { describe, expect, it } from 'vitest'
import { LISTEN, NODES } from '../../../src/cli/specs/page.ts'

describe('--nodes of flanneld page', () => {
  it.each([
    ['host-one:8081', [{ host: 'host-one', port: 8081 }]],
    ['http://10.0.0.1:8081/, [FD00::0:1]:99', [{ host: '10.0.0.1', port: 8081 }, { host: 'fd00::1', port: 99 }]], // prettier-ignore
  ])('takes %s', (text, nodes) => {
    expect(NODES.parse([text], '--nodes')).toEqual(nodes)
  })

  it.each([
    'host-one',
    ':8081',
    'a:0',
    'a:65536',
    'a:1,',
    'https://a:1',
    'a:1/v1',
    'a b:1',
    '[10.0.0.1]x:1',
    'user@a:1',
  ])('refuses %s', (text) => {
    expect(() => NODES.parse([text], '--nodes')).toThrow('--nodes: expected HOST:PORT')
  })

  it('takes no more nodes than can be asked', () => {
    const many = Array.from({ length: 65 }, (_, at) => `host${at}:1`).join()
    expect(() => NODES.parse([many], '--nodes')).toThrow('no more than 64 nodes')
  })
})

describe('--listen of flanneld page', () => {
  it('is an address', () => {
    expect(LISTEN.parse(['::1'], '--listen').text).toBe('::1')
    expect(() => LISTEN.parse(['eth0'], '--listen')).toThrow('an address of this host')
  })
})
