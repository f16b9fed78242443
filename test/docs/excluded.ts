/** A command of a document that no test runs. */
interface Excluded {
  readonly page: string
  /** As it stands there. */
  readonly command: string
  readonly because: string
}

const SUITE = 'it runs a test suite, which would run itself; CI runs them all'

const all = (page: string, because: string, ...commands: readonly string[]): readonly Excluded[] =>
  commands.map((command) => ({ page, command, because }))

/** Commands that cannot be run here, each with the reason. */
export const EXCLUDED: readonly Excluded[] = [
  ...all(
    'README.md',
    'test/e2e/demo.test.ts runs the demo, and compares it with the recording',
    'npm run demo     # etcd and three simulated hosts in a rootless laboratory; pings across, shows the VXLAN packets',
  ),
  ...all(
    'README.md',
    SUITE,
    'npm test         # everything: lint, types, unit, property, contract, kernel, etcd and end-to-end tests, on Node 20 and 24',
  ),
  ...['README.md', 'docs/install.md'].flatMap((page) => [
    ...all(
      page,
      'it takes the place of the node_modules that run this test; setup makes the packages',
      'npm ci && npm run package',
    ),
    ...all(
      page,
      'hosts of the laboratory have no sshd: the test copies the files to where this would have put them',
      'scp dist/packages/flannel-agent_*.deb root@192.168.205.10:        # and to .11',
    ),
  ]),
  ...all(
    'docs/install.md',
    'hosts of the laboratory have no way out: the packages lie there already',
    'apt-get update',
  ),
  ...all(
    'docs/peer-filter.md',
    'it listens until it is ended, and tcpdump cannot give up its rights in a user namespace',
    'tcpdump -ni eth0 udp dst port 8472',
  ),
  ...all(
    'docs/development.md',
    SUITE,
    'npm test -- --project core                  # unit, property, golden: no privileges, no namespaces',
    "npm test -- --project kernel -t 'overrun'   # the running kernel, in a namespace",
    'npm test -- --project etcd                  # a real etcd',
    'npm test -- --project e2e                   # whole hosts in the laboratory, running dist/flanneld.cjs',
    'npm test -- --project root                  # a real Docker, containerd and systemd on such hosts; as root, skipped otherwise',
    'npm test -- --project faults                # faults of kernel, etcd and process on such hosts',
    'npm test -- --project faults test/e2e/faults/<name>.test.ts',
    'npm test -- --project kube                  # a real kube-apiserver; skipped, with a word, where there is no Go',
    "npm run repeat -- 20 --project faults test/e2e/faults/<name>.test.ts -t 'wiped'",
    'npm run repeat -- 20 --jobs 2 --project etcd',
    'npm run mutate -- --seed 7 --count 300 --json result.json src/lease src/reconcile',
    'npm run mutate -- --again result.json',
    'npm run mutate -- --project core,etcd,kernel src/etcd src/netlink',
    'npm test -- --project root test/root/docs.test.ts -t quick-start',
    'npm test -- --project e2e test/e2e/docs.test.ts',
  ),
  ...all(
    'docs/reliability.md',
    SUITE,
    'npm test -- --project faults                          # all of it',
    "npm test -- --project faults -t 'a deleted device'    # one fault, at every moment",
  ),
  ...all(
    'packaging/coreos/README.md',
    'butane is in no package of Debian: test/unit holds its files to the documented fields, and their units to systemd-analyze',
    'sha256sum dist/flanneld',
    'butane --strict --files-dir packaging packaging/coreos/flatcar.bu > flatcar.ign',
  ),
  ...all(
    'docs/network-managers.md',
    'one host has one network manager: tests in test/root start each, and look at the devices before and after',
    'systemctl restart systemd-networkd      # networkd.conf.d too; "networkctl reload" reads .network files only',
    'systemctl reload NetworkManager',
    'networkctl list flannel.100             # SETUP: unmanaged',
    'nmcli device                            # STATE: unmanaged',
  ),
  ...all(
    'vagrant/README.md',
    'there is no virtual machine in the laboratory: test/root/docs-vagrant.test.ts makes two hosts as Vagrant would, and runs the script on both',
    'npm ci && npm run build && npm run package',
    'vagrant up host-one',
    'vagrant up host-two',
    'vagrant ssh host-one',
    'vagrant ssh host-two',
    'vagrant reload host-one host-two',
  ),
  ...all(
    'vagrant/README.md',
    'somebody has to type in two containers at once: test/root/vagrant.test.ts does it with the same commands',
    'sudo docker run -it --rm busybox sh',
  ),
  ...all(
    'vagrant/README.md',
    'test/root/vagrant.test.ts runs the script on two hosts of that network, in both roles',
    'MASTER_IP=192.168.205.10 vagrant/setup.sh master',
    'MASTER_IP=192.168.205.10 vagrant/setup.sh slave',
  ),
]
