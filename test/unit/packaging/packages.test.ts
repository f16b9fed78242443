import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Spec, Validation } from '@cyclonedx/cyclonedx-library'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')
/** Any small executable: what is asserted here does not depend on what it does. */
const STAND_IN = '/bin/true'
const hasDpkg = spawnSync('dpkg-deb', ['--version']).status === 0

function run(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(error?.message ?? `${command} ${args.join(' ')}: ${stdout}${stderr}`)
  return stdout
}

const build = (out: string, options: readonly string[], variables: Readonly<Record<string, string>> = {}) =>
  spawnSync(
    process.execPath,
    [join(ROOT, 'packaging/package.mjs'), '--executable', STAND_IN, '--stand-in', '--out', out, ...options],
    { encoding: 'utf8', env: { ...process.env, ...variables } },
  )

let folder = ''
let first = ''
const only = ['--only', hasDpkg ? 'deb,tarball,kubernetes,sbom' : 'tarball,kubernetes,sbom']
const file = (ending: string): string => join(first, readdirSync(first).find((name) => name.endsWith(ending)) ?? '')

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'packages-'))
  first = join(folder, 'first')
  const { status, stderr } = build(first, only)
  expect([status, stderr]).toEqual([0, ''])
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

describe('npm run package', () => {
  it('builds first, so that the guides can begin with it in a fresh checkout', () => {
    const manifest: unknown = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    expect(manifest).toHaveProperty('scripts.package', 'node packaging/build.mjs && node packaging/package.mjs')
  })

  it('makes the same bytes again, whatever the time zone, language and umask', () => {
    const second = join(folder, 'second')
    const previous = process.umask(0o077)
    try {
      expect(build(second, only, { TZ: 'Asia/Tokyo', LC_ALL: 'C', HOME: '/nonexistent' })).toMatchObject({ status: 0 })
    } finally {
      process.umask(previous)
    }
    expect(readdirSync(second).sort()).toEqual(readdirSync(first).sort())
    for (const name of readdirSync(first))
      expect([name, readFileSync(join(second, name)).equals(readFileSync(join(first, name)))]).toEqual([name, true])
  })

  it('replaces what an earlier version has left, and touches nothing else', () => {
    const out = join(folder, 'used')
    mkdirSync(out)
    const former = ['flannel-agent_0.0.9-1_amd64.deb', 'flannel-agent-0.0.9.tgz', 'flannel-agent-0.0.9-kubernetes.yml']
    for (const name of [...former, 'flannel-agent-notes.txt', 'letter']) writeFileSync(join(out, name), name)
    expect(build(out, ['--only', 'sbom'])).toMatchObject({ status: 0 })
    const bill = readdirSync(first).find((name) => name.endsWith('.cdx.json'))
    expect(readdirSync(out).sort()).toEqual(['SHA256SUMS', bill, 'flannel-agent-notes.txt', 'letter'].sort())
    expect(readFileSync(join(out, 'SHA256SUMS'), 'utf8').split('\n')).toHaveLength(2)
  })

  it('carries the time it is told', () => {
    const third = join(folder, 'third')
    expect(build(third, ['--only', 'tarball'], { SOURCE_DATE_EPOCH: '1000000000' })).toMatchObject({ status: 0 })
    const [name = ''] = readdirSync(third).filter((entry) => entry.endsWith('.tar.gz'))
    const listing = run('env', 'TZ=UTC', 'tar', 'tvzf', join(third, name))
    const times = new Set(Array.from(listing.matchAll(/\d{4}-\d\d-\d\d \d\d:\d\d/g), ([time]) => time))
    expect([...times]).toEqual(['2001-09-09 01:46'])
  })

  it('writes sums that sha256sum agrees with', () => {
    const { status, stdout } = spawnSync('sha256sum', ['-c', 'SHA256SUMS'], { cwd: first, encoding: 'utf8' })
    expect(status).toBe(0)
    expect(stdout.match(/: OK$/gm)).toHaveLength(readdirSync(first).length - 1)
  })

  it.each([
    [['--only', 'rpm'], 'expected some of deb,tarball,image,kubernetes,sbom, found rpm'],
    [['--revision', 'a b'], 'expected a Debian revision such as 1, found a b'],
    [['--executable', '/nonexistent'], 'expected the executable, found nothing: npm run build'],
    [['--executable', join(ROOT, 'package.json')], 'expected an ELF file of 64 bits'],
  ])('refuses %j, saying what it expected', (options, reason) => {
    const { status, stderr } = build(join(folder, 'none'), options)
    expect(status).not.toBe(0)
    expect(stderr).toContain(reason)
  })
})

describe('the chart', () => {
  it('is an archive of one folder named as the chart is, and the manifest names the image of this version', () => {
    const paths = run('tar', 'tzf', file('.tgz')).trim().split('\n')
    expect(paths).toContain('flannel-agent/Chart.yaml')
    expect(paths).toContain('flannel-agent/templates/daemonset.yaml')
    expect(paths.every((path) => path.startsWith('flannel-agent/'))).toBe(true)
    const version = /^version: (.*)$/m.exec(run('tar', 'xzOf', file('.tgz'), 'flannel-agent/Chart.yaml'))?.[1] ?? ''
    expect(readFileSync(file('-kubernetes.yml'), 'utf8')).toContain(`image: flannel-agent:${version}\n`)
  })
})

describe.skipIf(!hasDpkg)('the .deb', () => {
  const control = (): string => run('dpkg-deb', '-f', file('.deb'))
  const listing = (): string => run('dpkg-deb', '-c', file('.deb'))

  it('asks dpkg for the libraries of its executable before anything is unpacked', () => {
    const versions = run('sh', '-c', `objdump -T ${STAND_IN} 2>/dev/null || :`).match(/(?<=GLIBC_)[\d.]+/g)
    expect(control()).toMatch(/^Pre-Depends: libc6 \(>= 2\.\d+\)/m)
    for (const version of versions ?? [])
      run('dpkg', '--compare-versions', version, 'le', /libc6 \(>= ([\d.]+)\)/.exec(control())?.[1] ?? '')
    expect(control()).toContain(`\nArchitecture: ${run('dpkg', '--print-architecture')}`)
  })

  it.each([
    ['-rwxr-xr-x root/root', './usr/bin/flanneld'],
    ['-rw-r--r-- root/root', './etc/default/flanneld'],
    ['-rw-r--r-- root/root', './lib/systemd/system/flanneld.service'],
    ['-rw-r--r-- root/root', './lib/systemd/system/flannel-docker-opts.service'],
    ['-rw-r--r-- root/root', './usr/share/man/man8/flanneld.8.gz'],
    ['-rw-r--r-- root/root', './usr/share/bash-completion/completions/flanneld'],
    ['-rw-r--r-- root/root', './usr/share/fish/vendor_completions.d/flanneld.fish'],
    ['-rw-r--r-- root/root', './usr/share/zsh/vendor-completions/_flanneld'],
    ['-rw-r--r-- root/root', './usr/share/doc/flannel-agent/copyright'],
    ['lrwxrwxrwx root/root', './usr/bin/mk-docker-opts.sh -> flanneld'],
    ['lrwxrwxrwx root/root', './usr/lib/cni/flannel -> ../../bin/flanneld'],
  ])('holds %s %s', (mode, path) => {
    expect(
      listing()
        .split('\n')
        .filter((line) => line.startsWith(mode) && line.endsWith(` ${path}`)),
    ).toHaveLength(1)
  })

  it('has the settings as its only conffile, and units that start what it installs', () => {
    const tree = join(folder, 'tree')
    run('dpkg-deb', '-R', file('.deb'), tree)
    expect(readFileSync(join(tree, 'DEBIAN/conffiles'), 'utf8')).toBe('/etc/default/flanneld\n')
    for (const name of ['flanneld.service', 'flannel-docker-opts.service'])
      expect(readFileSync(join(tree, 'lib/systemd/system', name), 'utf8')).toMatch(/^ExecStart=\/usr\/bin\/flanneld /m)
    run('sh', '-c', `cd ${tree} && md5sum -c --quiet DEBIAN/md5sums`)
    for (const name of ['preinst', 'postinst', 'prerm', 'postrm']) {
      run('sh', '-n', join(tree, 'DEBIAN', name))
      expect(readFileSync(join(tree, 'DEBIAN', name), 'utf8')).not.toMatch(/@[A-Z_]+@|# include/)
    }
  })
})

describe('the tarball', () => {
  it('unpacks to one folder, whose scripts can be run', () => {
    run('tar', 'xzf', file('.tar.gz'), '-C', folder)
    const top = join(folder, file('.tar.gz').replace(/^.*\/|\.tar\.gz$/g, ''))
    for (const script of ['install.sh', 'uninstall.sh']) {
      expect(run(join(top, script), '--help')).toMatch(new RegExp(`^Usage: ${script}`))
      expect(spawnSync(join(top, script), ['--nonsense'])).toMatchObject({ status: 2 })
    }
    expect(readFileSync(join(top, 'bin/flanneld')).equals(readFileSync(STAND_IN))).toBe(true)
  })

  it('refuses another machine than it is for, without touching anything', () => {
    const [top, tools] = [join(folder, 'other'), join(folder, 'tools')]
    cpSync(join(folder, file('.tar.gz').replace(/^.*\/|\.tar\.gz$/g, '')), top, { recursive: true })
    run(
      'sh',
      '-c',
      `mkdir ${tools} && cd ${tools} && printf '#!/bin/sh\\necho riscv64\\n' > uname && printf '#!/bin/sh\\necho 0\\n' > id && chmod +x *`,
    )
    const { status, stderr } = spawnSync(join(top, 'install.sh'), ['--prefix', join(folder, 'prefix')], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${tools}:${process.env['PATH'] ?? ''}` },
    })
    expect(status).toBe(1)
    expect(stderr).toMatch(
      /this is flanneld for \S+, and the machine is riscv64; take the archive for it\n.*nothing was changed/,
    )
    expect(readdirSync(join(folder, 'prefix/bin'))).toEqual([])
  })
})

interface Bill {
  readonly components: readonly { readonly name: string; readonly purl: string; readonly hashes?: readonly unknown[] }[]
}

describe('the bill of materials', () => {
  const text = (): string => readFileSync(file('.cdx.json'), 'utf8')

  it("is valid by CycloneDX's own schema", async () => {
    const valid: unknown = await new Validation.JsonStrictValidator(Spec.Version.v1dot5).validate(text())
    expect(valid).toBeNull()
    const broken = text().replace('"type": "library"', '"type": "shelf"')
    expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot5).validate(broken)).not.toBeNull()
  })

  it('names every package of which something is in the bundle, with the sum of its archive', () => {
    const bill: unknown = JSON.parse(text())
    const isBill = (value: unknown): value is Bill =>
      typeof value === 'object' && value !== null && 'components' in value
    if (!isBill(bill)) throw new Error('no bill')
    const titles = readFileSync(join(ROOT, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8').match(
      /(?<=^={80}\n)\S+ \d\S*(?= \(.*\n={80}$)/gm,
    )
    const npm = bill.components.filter(({ purl }) => purl.startsWith('pkg:npm/'))
    const named = npm.map(({ purl }) => decodeURIComponent(purl.replace('pkg:npm/', '')).replace(/@([^@]*)$/, ' $1'))
    expect(named).toEqual(titles)
    expect(named.length).toBeGreaterThan(20)
    expect(npm.filter(({ hashes }) => hashes === undefined)).toEqual([])
  })
})
