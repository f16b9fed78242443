import { describe, expect, it } from 'vitest'
import { agentSocket, type SocketPorts } from '../../../src/commands/asking/socket.ts'
import { ConfigError } from '../../../src/config/error.ts'

const own = (environment: Readonly<Record<string, string>> = {}): Parameters<typeof agentSocket>[1] => ({
  given: new Map(),
  environment,
})

const ports = (isThere: boolean, told: () => string | undefined = () => '/told'): SocketPorts => ({
  isThere: () => isThere,
  told: () => Promise.resolve().then(told),
})

const refused = (): never => {
  throw new ConfigError('--iface', 'an interface', 'x')
}

describe('where the agent is asked', () => {
  it.each([
    ['as the command says', '/given', { FLANNELD_STATUS_SOCKET: '/variable' }, ports(true), '/given'],
    ['as the variable says', undefined, { FLANNELD_STATUS_SOCKET: '/variable' }, ports(true), '/variable'],
    ['at the usual place', undefined, { FLANNELD_STATUS_SOCKET: 'none' }, ports(true), '/run/flannel/flanneld.sock'],
    ['where the daemon was told to listen, if nothing is there', undefined, {}, ports(false), '/told'],
    [
      'at the usual place, where it listens nowhere',
      undefined,
      {},
      ports(false, () => undefined),
      '/run/flannel/flanneld.sock',
    ],
    [
      'at the usual place, where its settings are wrong',
      undefined,
      {},
      ports(false, refused),
      '/run/flannel/flanneld.sock',
    ],
  ])('is found out: %s', async (_, given, environment, host, expected) => {
    expect(await agentSocket(given, own(environment), host)).toBe(expected)
  })
})
