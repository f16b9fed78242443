import { describe, expect, it, vi } from 'vitest'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { writeAddressAdd } from '../../../src/netlink/codec/address.ts'
import { RtnetlinkKernel } from '../../../src/netlink/rtnetlink-kernel.ts'
import { NLM_F, NLMSG, NLMSGERR_ATTR, SO, SOL_SOCKET } from '../../../src/netlink/codec/uapi.ts'
import type { KernelOp, OpResult } from '../../../src/kernel/kernel.ts'
import { datagram, done, ScriptedAddon, verdict, type Arrival, type Request } from './scripted-addon.ts'

const [EPERM, ENOENT, ENOMEM, EACCES, EEXIST, ENODEV, EINVAL] = [1, 2, 12, 13, 17, 19, 22]
const [ESRCH, EADDRNOTAVAIL, ENETUNREACH, ENOBUFS, EHOSTUNREACH] = [3, 99, 101, 105, 113]
const { signal } = new AbortController()
const A_MINUTE_MS = 60_000

const address = (n: number) => ({ linkIndex: 7, ip: ip(`10.0.0.${n}`), prefixLength: 32 })
const ops = (count: number): readonly KernelOp[] =>
  Array.from({ length: count }, (_, n) => ({ op: 'address.add', ...address(n) }))

/** One address as a dump shows it, in answer to `request`. */
const addressEntry = (request: Request, flags = 0): Uint8Array =>
  datagram((writer) => {
    writeAddressAdd(writer, address(1), request.sequence)
    writer.flagLast(flags)
  })

/** An entry that ends before it should. */
const cut = (request: Request): Uint8Array =>
  datagram((writer) => {
    writer.begin(20, 0, request.sequence)
    writer.u32(2)
    writer.end()
  })

function kernelOver(answer: (batch: readonly Request[], turn: number) => readonly Arrival[], timeoutMs = 50) {
  let turn = 0
  const addon = new ScriptedAddon((batch) => answer(batch, turn++))
  return { addon, kernel: new RtnetlinkKernel({ addon, timeoutMs }) }
}

const lastOf = (batch: readonly Request[]): Request => batch.at(-1) ?? { type: 0, flags: 0, sequence: 0 }
const sequenceOf = (batch: readonly Request[], n: number): number => batch[n]?.sequence ?? 0
const codes = (results: readonly OpResult[]): readonly string[] =>
  results.map((result) => (result.ok ? 'ok' : result.error.code))
const acknowledgeAll = (batch: readonly Request[]): readonly Arrival[] => [verdict(lastOf(batch).sequence)]

describe('a batch', () => {
  it('asks for one acknowledgement, of its last message', async () => {
    const { addon, kernel } = kernelOver(acknowledgeAll)
    expect(codes(await kernel.apply(ops(3), signal))).toEqual(['ok', 'ok', 'ok'])
    expect(addon.requests.map(({ flags }) => (flags & NLM_F.ACK) !== 0)).toEqual([false, false, true])
  })

  it('whose acknowledgement never comes is given up in time and counts as lost', async () => {
    const { kernel } = kernelOver((batch, turn) =>
      turn === 0 ? [verdict(sequenceOf(batch, 1), EEXIST)] : acknowledgeAll(batch),
    )
    expect(codes(await kernel.apply(ops(3), signal))).toEqual(['LOST', 'EEXIST', 'LOST'])
    expect(codes(await kernel.apply(ops(2), signal))).toEqual(['ok', 'ok'])
  })

  it('says of a neighbour for which there is no room what is full, and what makes room; of nothing else', async () => {
    const { kernel } = kernelOver((batch) => [
      ...batch.slice(0, -1).map(({ sequence }) => verdict(sequence, ENOBUFS)),
      verdict(lastOf(batch).sequence, ENOBUFS),
    ])
    const neighbour = { linkIndex: 7, mac: mac('02:00:00:00:00:07'), state: 'permanent' } as const
    const results = await kernel.apply(
      [
        { op: 'neighbour.replace', ...neighbour, ip: ip('10.0.16.0') },
        { op: 'neighbour.replace', ...neighbour, ip: ip('fd00::16:0') },
        ...ops(1),
      ],
      signal,
    )
    expect(codes(results)).toEqual(['ENOBUFS', 'ENOBUFS', 'ENOBUFS'])
    const [message4, message6, other] = results.map((result) => (result.ok ? '' : result.error.message))
    expect(message4).toMatch(
      /^neighbour\.replace 10\.0\.16\.0 dev link 7: no room in the kernel's table of IPv4 neighbours \(arp_cache\)\. Cure: a larger net\.ipv4\.neigh\.default\.gc_thresh3, .*\(ENOBUFS\)$/,
    )
    expect(message6).toMatch(/IPv6 neighbours \(ndisc_cache\)\. Cure: a larger net\.ipv6\.neigh/)
    expect(other).toMatch(/no buffer space/)
  })

  it('does not wait for an acknowledgement that was dropped with an overrun', async () => {
    const { kernel } = kernelOver((batch) => [verdict(sequenceOf(batch, 0), EEXIST), -ENOBUFS], A_MINUTE_MS)
    const started = performance.now()
    expect(codes(await kernel.apply(ops(3), signal))).toEqual(['EEXIST', 'LOST', 'LOST'])
    expect(performance.now() - started).toBeLessThan(A_MINUTE_MS / 2)
  })

  it('counts what it did not hear of as lost when refusals were dropped before the acknowledgement', async () => {
    const { kernel } = kernelOver((batch) => [-ENOBUFS, ...acknowledgeAll(batch)])
    expect(codes(await kernel.apply(ops(3), signal))).toEqual(['LOST', 'LOST', 'LOST'])
  })

  it('learns of an overrun from the poll handle too', async () => {
    const { addon, kernel } = kernelOver(() => [])
    const applied = kernel.apply(ops(1), signal)
    setImmediate(() => {
      addon.fail(ENOBUFS)
    })
    expect(codes(await applied)).toEqual(['LOST'])
  })

  it('ignores what arrives late from the one before', async () => {
    const before: number[] = []
    const { kernel } = kernelOver((batch, turn) => {
      if (turn === 0) before.push(...batch.map(({ sequence }) => sequence))
      const late = before.map((sequence) => verdict(sequence, EPERM))
      return turn === 0 ? [] : [...late, ...acknowledgeAll(batch), ...late]
    })
    expect(codes(await kernel.apply(ops(2), signal))).toEqual(['LOST', 'LOST'])
    expect(codes(await kernel.apply(ops(2), signal))).toEqual(['ok', 'ok'])
    expect(codes(await kernel.apply(ops(2), signal))).toEqual(['ok', 'ok'])
  })

  it('names what was refused as ip(8) would', async () => {
    const { kernel } = kernelOver((batch) => [verdict(sequenceOf(batch, 0), EPERM)])
    const route = { destination: prefix('10.1.0.0/20'), metric: 5, protocol: '70' } as const
    const targets = []
    for (const op of [
      { op: 'route.replace', type: 'unicast', ...route, linkIndex: 7, gateway: ip('10.1.0.0') },
      { op: 'route.replace', type: 'unicast', ...route, linkIndex: 7 },
      { op: 'route.replace', type: 'blackhole', ...route },
      { op: 'fdb.delete', linkIndex: 7, mac: mac('02:00:00:00:00:01') },
    ] satisfies KernelOp[])
      targets.push(...(await kernel.apply([op], signal)).map((result) => (result.ok ? '' : result.error.target)))
    expect(targets).toEqual([
      '10.1.0.0/20 via 10.1.0.0 dev link 7 metric 5',
      '10.1.0.0/20 dev link 7 metric 5',
      '10.1.0.0/20 blackhole metric 5',
      '02:00:00:00:00:01 dev link 7',
    ])
  })

  it('is as large as it may be, and no larger', async () => {
    const sent: number[] = []
    const addon = new ScriptedAddon((batch) => {
      sent.push(batch.length)
      return acknowledgeAll(batch)
    })
    const kernel = new RtnetlinkKernel({ addon, timeoutMs: 50, batchSize: 2 })
    expect(codes(await kernel.apply(ops(5), signal))).toEqual(Array(5).fill('ok'))
    expect(sent).toEqual([2, 2, 1])
  })

  it.each<[KernelOp, readonly number[]]>([
    [{ op: 'link.delete', linkIndex: 7 }, [ENODEV]],
    [{ op: 'address.delete', ...address(1) }, [EADDRNOTAVAIL, ENODEV]],
    [{ op: 'neighbour.delete', linkIndex: 7, ip: ip('10.0.0.1') }, [ENOENT, ENODEV]],
    [{ op: 'fdb.delete', linkIndex: 7, mac: mac('02:00:00:00:00:01') }, [ENOENT, ENODEV]],
    [
      {
        op: 'route.delete',
        type: 'unicast',
        destination: prefix('10.1.0.0/20'),
        linkIndex: 7,
        metric: 0,
        protocol: '70',
      },
      [ESRCH, ENODEV],
    ],
  ])('has done what was so already: $op', async (op, errnos) => {
    for (const errno of [ENOENT, ESRCH, ENODEV, EADDRNOTAVAIL, EPERM]) {
      const { kernel } = kernelOver((batch) => [verdict(sequenceOf(batch, 0), errno)])
      const [result] = await kernel.apply([op], signal)
      expect([errno, result?.ok]).toEqual([errno, errnos.includes(errno)])
    }
  })

  it('that could not be sent has failed as a whole', async () => {
    const { addon, kernel } = kernelOver(acknowledgeAll)
    addon.sendStatus = -EPERM
    expect(codes(await kernel.apply(ops(2), signal))).toEqual(['EPERM', 'EPERM'])
  })

  it('with an unreadable answer says so, and the next one works', async () => {
    const { kernel } = kernelOver((batch, turn) => (turn === 0 ? [Uint8Array.of(1, 2, 3)] : acknowledgeAll(batch)))
    expect(codes(await kernel.apply(ops(2), signal))).toEqual(['DECODE', 'DECODE'])
    expect(codes(await kernel.apply(ops(2), signal))).toEqual(['ok', 'ok'])
  })

  it('that is waiting ends when the kernel is closed', async () => {
    const { kernel } = kernelOver(() => [])
    const applied = kernel.apply(ops(1), signal)
    setImmediate(() => {
      kernel.close()
    })
    expect(codes(await applied)).toEqual(['CLOSED'])
  })
})

describe('a table', () => {
  it('that changed while it was read is read again, and only the last reading counts', async () => {
    const { addon, kernel } = kernelOver(([request = lastOf([])], turn) =>
      turn < 3
        ? [addressEntry(request), addressEntry(request, NLM_F.DUMP_INTR), done(request.sequence)]
        : [addressEntry(request), done(request.sequence)],
    )
    expect(await kernel.addresses(signal)).toHaveLength(1)
    expect(addon.requests).toHaveLength(4)
  })

  it('that is decoded slowly lets others have their turn in between', async () => {
    const { kernel } = kernelOver(([request = lastOf([])]) => [
      ...Array.from({ length: 3 }, () => addressEntry(request)),
      done(request.sequence),
    ])
    let nowMs = 0
    const slow = vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += 10))
    let turns = 0
    const count = (): void => {
      turns++
      turn = setImmediate(count)
    }
    let turn = setImmediate(count)
    try {
      expect(await kernel.addresses(signal)).toHaveLength(3)
      expect(turns).toBeGreaterThanOrEqual(3)
    } finally {
      clearImmediate(turn)
      slow.mockRestore()
    }
  })

  it('also when only the end says so', async () => {
    const { addon, kernel } = kernelOver(([request = lastOf([])], turn) => [
      done(request.sequence, 0, turn === 0 ? NLM_F.DUMP_INTR : 0),
    ])
    expect(await kernel.addresses(signal)).toEqual([])
    expect(addon.requests).toHaveLength(2)
  })

  it('of which a piece may have been dropped with an overrun is read again', async () => {
    const { addon, kernel } = kernelOver(([request = lastOf([])], turn) => [
      ...(turn === 0 ? [-ENOBUFS] : [addressEntry(request)]),
      done(request.sequence),
    ])
    expect(await kernel.addresses(signal)).toHaveLength(1)
    expect(addon.requests).toHaveLength(2)
  })

  it('that never stops changing is given up', async () => {
    const { addon, kernel } = kernelOver(([request = lastOf([])]) => [done(request.sequence, 0, NLM_F.DUMP_INTR)])
    await expect(kernel.addresses(signal)).rejects.toMatchObject({
      name: 'KernelError',
      code: 'INTERRUPTED',
      op: 'addresses',
    })
    expect(addon.requests.length).toBeLessThan(50)
  })

  it('whose reading fails at the end is no table', async () => {
    const { kernel } = kernelOver(([request = lastOf([])]) => [addressEntry(request), done(request.sequence, ENOMEM)])
    await expect(kernel.addresses(signal)).rejects.toMatchObject({ code: 'ENOMEM', errno: ENOMEM })
  })

  it('is no table in the words of the kernel, where it has any', async () => {
    const { kernel } = kernelOver(([request = lastOf([])]) => [
      datagram((writer) => {
        writer.begin(NLMSG.DONE, NLM_F.ACK_TLVS, request.sequence)
        writer.u32(-EINVAL >>> 0)
        writer.attributeText(NLMSGERR_ATTR.MSG, 'Invalid header for dump')
        writer.end()
      }),
    ])
    await expect(kernel.addresses(signal)).rejects.toMatchObject({
      ...{ code: 'EINVAL', message: expect.stringContaining('Invalid header for dump') as unknown },
    })
  })

  it('with an unreadable entry is read to its end, so that the next question gets its own answer', async () => {
    const { kernel } = kernelOver(([request = lastOf([])], turn) => [
      ...(turn === 0 ? [cut(request)] : []),
      addressEntry(request),
      done(request.sequence),
    ])
    await expect(kernel.addresses(signal)).rejects.toMatchObject({ code: 'DECODE' })
    expect(await kernel.addresses(signal)).toHaveLength(1)
  })

  it('that is decoded as it is gone through says there what it cannot read, as often as that is tried', async () => {
    const { kernel } = kernelOver(([request = lastOf([])], turn) => [
      ...(turn === 0 ? [cut(request)] : []),
      done(request.sequence),
    ])
    const { fdb, neighbours, routes } = await kernel.rows(7, [4], signal)
    for (let time = 0; time < 2; time++)
      expect(() => [...fdb]).toThrow(
        expect.objectContaining({ name: 'KernelError', code: 'DECODE', op: 'fdb' }) as Error,
      )
    expect([...neighbours, ...routes]).toEqual([])
  })

  it('whose datagram was cut is not taken for complete', async () => {
    const { kernel } = kernelOver(() => [new Uint8Array(100_000)])
    await expect(kernel.addresses(signal)).rejects.toMatchObject({ code: 'DECODE' })
  })

  it('of which nothing comes is given up in time', async () => {
    const { kernel } = kernelOver(() => [])
    await expect(kernel.addresses(signal)).rejects.toMatchObject({ code: 'LOST' })
  })

  it('is not handed out when stopped while it was read, and the next question gets its own answer', async () => {
    const stop = new AbortController()
    const { addon, kernel } = kernelOver(([request = lastOf([])], turn) => {
      if (turn > 0) return [addressEntry(request), done(request.sequence)]
      setImmediate(() => {
        stop.abort()
        addon.deliver(addressEntry(request), done(request.sequence))
      })
      return [addressEntry(request)]
    })
    await expect(kernel.addresses(stop.signal)).rejects.toMatchObject({ code: 'ABORTED', op: 'addresses' })
    expect(await kernel.addresses(signal)).toHaveLength(1)
  })

  it('is left when stopped, at once', async () => {
    const stop = new AbortController()
    const { kernel } = kernelOver(() => [])
    const reading = kernel.addresses(stop.signal)
    setImmediate(() => {
      stop.abort()
    })
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('a question about one thing', () => {
  const refusedWith = (errno: number) => kernelOver((batch) => [verdict(lastOf(batch).sequence, errno)]).kernel

  it('is answered with nothing where the kernel has no such thing', async () => {
    expect(await refusedWith(ENODEV).link('eth7', signal)).toBeUndefined()
    for (const errno of [ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL])
      expect(await refusedWith(errno).lookup(ip('10.0.0.1'), signal)).toBeUndefined()
    expect(await refusedWith(ENOENT).routes(4, signal)).toEqual([])
  })

  it('is refused for any other reason, which is named', async () => {
    await expect(refusedWith(EPERM).link('eth7', signal)).rejects.toMatchObject({
      code: 'EPERM',
      op: 'link',
      target: 'eth7',
    })
    await expect(refusedWith(ENODEV).lookup(ip('10.0.0.1'), signal)).rejects.toMatchObject({
      ...{ code: 'ENODEV', op: 'lookup', target: '10.0.0.1' },
    })
    await expect(refusedWith(ENODEV).routes(4, signal)).rejects.toMatchObject({ code: 'ENODEV', op: 'routes' })
  })

  it('that cannot be sent says why', async () => {
    const { addon, kernel } = kernelOver(acknowledgeAll)
    addon.sendStatus = -ENOBUFS
    await expect(kernel.link('eth7', signal)).rejects.toMatchObject({ code: 'ENOBUFS', op: 'link' })
    await expect(kernel.links(signal)).rejects.toMatchObject({ code: 'ENOBUFS', op: 'links' })
  })

  it('of which nothing comes is given up in time, and its late answer is nobody else’s', async () => {
    let late = 0
    const { kernel } = kernelOver((batch, turn) => {
      if (turn === 0) late = lastOf(batch).sequence
      return turn === 0 ? [] : [verdict(late, EPERM), verdict(lastOf(batch).sequence, ENODEV)]
    })
    await expect(kernel.link('eth7', signal)).rejects.toMatchObject({ code: 'LOST' })
    expect(await kernel.link('eth7', signal)).toBeUndefined()
  })

  it('is not asked of a kernel that is closed', async () => {
    const { addon, kernel } = kernelOver(acknowledgeAll)
    kernel.close()
    await expect(kernel.links(signal)).rejects.toMatchObject({ code: 'CLOSED', op: 'links' })
    await expect(kernel.apply(ops(1), signal)).rejects.toMatchObject({ code: 'CLOSED' })
    expect(addon.requests).toEqual([])
  })
})

describe('what has been asked', () => {
  it('is counted by name, and operations by themselves', async () => {
    const { kernel } = kernelOver((batch) => [verdict(lastOf(batch).sequence), done(lastOf(batch).sequence)])
    await kernel.apply(ops(3), signal)
    await kernel.apply([{ op: 'address.delete', ...address(1) }], signal)
    await kernel.addresses(signal)
    expect(kernel.stats()).toEqual({
      writes: 4,
      errors: 0,
      overruns: 0,
      byOp: { 'address.add': 3, 'address.delete': 1, addresses: 1 },
    })
  })
})

describe('the socket', () => {
  const received = (refuseOption: (option: number) => number) => {
    const addon = new ScriptedAddon(acknowledgeAll)
    addon.refuseOption = refuseOption
    new RtnetlinkKernel({ addon, timeoutMs: 50 }).close()
    return addon.options.filter(([level]) => level === SOL_SOCKET).map(([, option]) => option)
  }

  it('has the buffer that it asks for, or without the right to that as much as the system’s limit allows', () => {
    expect(received(() => 0)).toEqual([SO.RCVBUFFORCE])
    expect(received((option) => (option === SO.RCVBUFFORCE ? -EPERM : 0))).toEqual([SO.RCVBUFFORCE, SO.RCVBUF])
  })

  it('is none where the kernel refuses an option', () => {
    expect(() => received(() => -EPERM)).toThrow(expect.objectContaining({ code: 'EPERM', op: 'socket' }) as Error)
  })
})
