import { prefix } from '../../../src/net/prefix.ts'
import { kernelContract } from '../../contract/kernel-contract.ts'
import { FakeKernel } from '../../fake/fake-kernel.ts'

for (const echo of [true, false])
  kernelContract(`the fake kernel ${echo ? 'with' : 'without'} echo`, () => {
    const kernel = new FakeKernel({ echo })
    return {
      kernel,
      device: (n) => ({ name: `flannel.${n}`, vni: n, port: 8472 }),
      subnet: (n) => prefix(`10.99.${n}.0/24`),
      outside: (...ops) => {
        kernel.outside(...ops)
        return Promise.resolve()
      },
      alter: ({ destination, linkIndex, metric, protocol, other }, how) => {
        kernel.tables.addRoute({
          ...{ destination, linkIndex, metric, protocol, gateway: destination.base },
          ...{ scope: 'global', type: 'unicast', table: 'main', onlink: how !== 'nexthop' },
          furtherHops: how === 'nexthop' ? [{ linkIndex, gateway: other }] : undefined,
          extras: how === 'nexthop' ? undefined : [how],
        })
        return Promise.resolve()
      },
      dispose: () => {
        kernel.close()
        return Promise.resolve()
      },
    }
  })
