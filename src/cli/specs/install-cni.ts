import { boolean, text, textOr } from '../flag.ts'
import type { CommandSpec } from '../command/spec.ts'

export const BIN_DIR = textOr('bin-dir', 'folder', '/opt/cni/bin', 'where container runtimes look for plugins')
export const CONF_DIR = textOr(
  'conf-dir',
  'folder',
  '/etc/cni/net.d',
  'where container runtimes look for networks, and take the first by name',
)
export const CONF_NAME = textOr('conf-name', 'name', '10-flannel.conflist', 'name of the list there')
export const CONF = textOr('conf', 'file', '/etc/kube-flannel/cni-conf.json', 'list of plugins to be put there')
export const SKIP_CONF = boolean('skip-conf', false, 'put the plugin alone: the list comes from elsewhere')
export const PLUGIN = text('plugin', 'file', 'executable to be put there as flannel (default: this one)')

export const INSTALL_CNI: CommandSpec = {
  name: 'install-cni',
  operands: '',
  takes: [0, 0],
  about: `Puts the CNI plugin flannel and a network's list of plugins where container runtimes look for them, as the first container of a pod does it for its node. Each is replaced as a whole, the plugin first; nothing is written where the same stands already.

It names what keeps containers from getting a network all the same: other plugins that the list needs and that are not there, and lists of others that come before this one.`,
  flags: [BIN_DIR, CONF_DIR, CONF_NAME, CONF, SKIP_CONF, PLUGIN],
  exits:
    '0 when both are there; 1 when a file cannot be read or written; 2 for bad usage, or a list that no runtime takes.',
}
