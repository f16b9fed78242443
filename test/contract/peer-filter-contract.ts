import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PeerFilterError, type PeerFilter } from '../../src/kernel/peer-filter.ts'
import { ip, type Ip } from '../../src/net/ip.ts'

const OVERLAY = { vni: 0x01_02_03, port: 31_472 }
const [A, B, C] = [ip('192.168.7.1'), ip('192.168.7.2'), ip('fd00:7::3')]
const { signal } = new AbortController()

/** What the task that keeps the peer filter may count on. */
export function peerFilterContract(name: string, open: () => PeerFilter): void {
  describe(`peer filter contract: ${name}`, () => {
    let filter: PeerFilter
    beforeEach(() => {
      filter = open()
    })
    afterEach(() => filter.remove(signal))

    const admitted = async (): Promise<readonly string[] | undefined> =>
      (await filter.read(OVERLAY, 'all', signal))?.peers?.map(({ text }) => text).toSorted()
    const refusal = async (work: Promise<unknown>): Promise<string> => {
      const error: unknown = await work.then(
        () => undefined,
        (reason: unknown) => reason,
      )
      return error instanceof PeerFilterError ? error.code : 'none'
    }
    const textsOf = (...addresses: readonly Ip[]): readonly string[] => addresses.map(({ text }) => text).toSorted()

    test('where there is none, none is read, removed or changed', async () => {
      expect(await filter.read(OVERLAY, 'all', signal)).toBeUndefined()
      expect(await filter.remove(signal)).toBe(false)
      expect(await refusal(filter.change([A], [], signal))).toBe('REFUSED')
      expect(await filter.read(OVERLAY, 'rules', signal)).toBeUndefined()
    })

    test('one that is made is whole, has dropped nothing, and lets in whom it was told', async () => {
      await filter.install(OVERLAY, [A, C], signal)
      const state = await filter.read(OVERLAY, 'rules', signal)
      expect(state).toMatchObject({ isWhole: true, peers: undefined, drops: { packets: 0 } })
      expect(await admitted()).toEqual(textsOf(A, C))
    })

    test('one for nobody lets nobody in', async () => {
      await filter.install(OVERLAY, [], signal)
      expect(await admitted()).toEqual([])
    })

    test.each([
      ['VNI', { ...OVERLAY, vni: OVERLAY.vni + 1 }],
      ['port', { ...OVERLAY, port: OVERLAY.port + 1 }],
    ])('one for another %s is not whole', async (_, other) => {
      await filter.install(other, [A], signal)
      expect(await filter.read(OVERLAY, 'rules', signal)).toMatchObject({ isWhole: false })
      expect(await filter.read(other, 'rules', signal)).toMatchObject({ isWhole: true })
    })

    test('one that is made again stands in the place of the former', async () => {
      await filter.install(OVERLAY, [A, B], signal)
      await filter.install(OVERLAY, [C], signal)
      expect(await admitted()).toEqual(textsOf(C))
    })

    test('changes let in and keep out, of both families; whom it lets in already may be named again', async () => {
      await filter.install(OVERLAY, [A], signal)
      await filter.change([A, B, C], [], signal)
      expect(await admitted()).toEqual(textsOf(A, B, C))
      await filter.change([], [A, C], signal)
      expect(await admitted()).toEqual(textsOf(B))
      await filter.change([], [], signal)
      expect(await admitted()).toEqual(textsOf(B))
    })

    test('to keep out whom it does not let in is refused, and nothing of that change is made', async () => {
      await filter.install(OVERLAY, [A], signal)
      expect(await refusal(filter.change([C], [A, B], signal))).toBe('REFUSED')
      expect(await admitted()).toEqual(textsOf(A))
    })

    test('what is called off is not begun', async () => {
      const over = AbortSignal.abort(new Error('called off'))
      await expect(filter.install(OVERLAY, [A], over)).rejects.toThrow('called off')
      expect(await filter.read(OVERLAY, 'all', signal)).toBeUndefined()
    })

    test('one that is removed is gone', async () => {
      await filter.install(OVERLAY, [A], signal)
      expect(await filter.remove(signal)).toBe(true)
      expect(await filter.read(OVERLAY, 'all', signal)).toBeUndefined()
    })
  })
}
