import { FirewallError } from '../../kernel/firewall.ts'
import { PeerFilterError } from '../../kernel/peer-filter.ts'
import type { RunTool } from '../command.ts'

/**
 * Runs nft with JSON in and out (libnftables-json(5)); what stands in `input` is one transaction.
 * @returns its standard output
 * @throws {PeerFilterError} with nft's own words when it refuses
 */
export async function nft(
  run: RunTool,
  op: string,
  args: readonly string[],
  signal: AbortSignal,
  input = '',
): Promise<string> {
  try {
    return await run('nft', ['-j', ...args], input, signal)
  } catch (cause) {
    if (!(cause instanceof FirewallError)) throw cause
    const { code } = cause
    if (code === 'MISSING') throw missing(op)
    throw new PeerFilterError({ op, code: code === 'TIMEOUT' ? code : 'REFUSED', message: cause.message, cause })
  }
}

const missing = (op: string): PeerFilterError =>
  new PeerFilterError({ op, code: 'MISSING', message: 'there is no nft command: install the package nftables' })
