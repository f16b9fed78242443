import { settingsContract } from '../../contract/settings-contract.ts'
import { FakeKernel } from '../../fake/fake-kernel.ts'
import { FakeSettings } from '../../fake/fake-settings.ts'

settingsContract(() => {
  const kernel = new FakeKernel()
  const settings = new FakeSettings((name) => kernel.indexOf(name) !== undefined)
  return {
    ports: { kernel, readSysctl: settings.readSysctl, setSysctl: settings.setSysctl },
    addLink: (name) => {
      kernel.addCard(name)
      settings.set(`net/ipv4/conf/${name}/forwarding`, '0')
      return Promise.resolve()
    },
    removeLink: (name) => {
      kernel.outside({ op: 'link.delete', linkIndex: kernel.indexOf(name) ?? 0 })
      return Promise.resolve()
    },
  }
})
