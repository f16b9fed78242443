import { expect, test } from 'vitest'

import { WhoAnswers, type Answering } from '../../../../src/etcd/client/who-answers.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'

test('who answers at an address is asked once in ten seconds, however much fails there', async () => {
  const clock = new FakeClock()
  const asked: string[] = []
  const who = new WhoAnswers(clock, (authority): Promise<Answering> => {
    asked.push(authority)
    return Promise.resolve({ is: asked.length === 1 ? 'silent' : 'tls' })
  })
  for (let second = 0; second < 10; second++) {
    expect(await Promise.all([who.at('a:1'), who.at('a:1')])).toEqual([{ is: 'silent' }, { is: 'silent' }])
    await clock.advance(1_000)
  }
  expect(await who.at('a:1')).toEqual({ is: 'tls' })
  await who.at('b:1')
  expect(asked).toEqual(['a:1', 'a:1', 'b:1'])
})
