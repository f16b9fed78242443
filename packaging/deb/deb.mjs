import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, lutimesSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { assemble, unitFor } from '../package/assemble.mjs'
import { changelog, documentation, filesBelow, thirdPartyLicences } from '../package/contents.mjs'
import { control, debVersion } from './control.mjs'
import { copyright, debianChangelog } from './copyright.mjs'

const SCRIPTS = ['preinst', 'postinst', 'prerm', 'postrm']
const DOC = 'usr/share/doc/flannel-agent'
/** Smaller documentation is shipped as it is (Debian policy 12.3: files above 4 KiB should be compressed). */
const COMPRESSED_ABOVE = 4096

const gzip = (content) => gzipSync(content, { level: 9 })
const file = (path, content, mode = 0o644) => ({ path, content: Buffer.from(content), mode })
const link = (path, target) => ({ path, target })

/** Everything that is installed, by its path. The links to the program are absolute in no case: other roots are common. */
function installed(product) {
  const { texts, program } = product
  return [
    file('usr/bin/flanneld', program, 0o755),
    link('usr/bin/mk-docker-opts.sh', 'flanneld'),
    link('usr/lib/cni/flannel', '../../bin/flanneld'),
    file('lib/systemd/system/flanneld.service', unitFor('flanneld.service', '/usr/bin')),
    file('lib/systemd/system/flannel-docker-opts.service', unitFor('flannel-docker-opts.service', '/usr/bin')),
    file('etc/default/flanneld', texts.settings),
    file('usr/share/man/man8/flanneld.8.gz', gzip(texts.manual)),
    link('usr/share/man/man8/mk-docker-opts.sh.8.gz', 'flanneld.8.gz'),
    file('usr/share/bash-completion/completions/flanneld', texts.bash),
    file('usr/share/zsh/vendor-completions/_flanneld', texts.zsh),
    file('usr/share/fish/vendor_completions.d/flanneld.fish', texts.fish),
    file('usr/share/lintian/overrides/flannel-agent', overrides()),
    ...documents(product),
  ]
}

function documents(product) {
  const guides = documentation().map(({ path, content }) =>
    content.length > COMPRESSED_ABOVE && path.endsWith('.md')
      ? file(`${DOC}/${path}.gz`, gzip(content))
      : file(`${DOC}/${path}`, content),
  )
  return [
    ...guides,
    file(`${DOC}/changelog.gz`, gzip(changelog())),
    file(`${DOC}/changelog.Debian.gz`, gzip(debianChangelog(product))),
    file(`${DOC}/THIRD-PARTY-LICENSES.txt.gz`, gzip(thirdPartyLicences())),
    file(`${DOC}/copyright`, copyright(product)),
  ]
}

function overrides() {
  const found = filesBelow('packaging/deb').find(({ path }) => path === 'lintian-overrides')
  return found.content
}

function controlFiles(product, files) {
  const values = {
    VERSION: product.version,
    PROGRAM_KIB: Math.ceil(product.program.length / 1024),
    SETTING_NAMES: product.texts.settingNames.join(' '),
  }
  const md5 = (content) => createHash('md5').update(content).digest('hex')
  const regular = files.filter(({ content, path }) => content !== undefined && !path.startsWith('etc/'))
  const size = files.reduce((sum, { content }) => sum + Math.ceil((content?.length ?? 0) / 1024) + 1, 0)
  return [
    file('DEBIAN/control', control(product, size)),
    file('DEBIAN/conffiles', '/etc/default/flanneld\n'),
    file('DEBIAN/md5sums', regular.map(({ path, content }) => `${md5(content)}  ${path}\n`).join('')),
    ...SCRIPTS.map((name) => file(`DEBIAN/${name}`, assemble(`deb/${name}`, values), 0o755)),
  ]
}

/** Writes the tree, every file and folder with the same time. */
function stage(folder, files, epoch) {
  for (const { path, content, target, mode } of files) {
    const at = join(folder, path)
    mkdirSync(dirname(at), { recursive: true, mode: 0o755 })
    if (target !== undefined) symlinkSync(target, at)
    else writeFileSync(at, content)
    if (target === undefined) chmodSync(at, mode)
  }
  const all = readdirSync(folder, { recursive: true, withFileTypes: true })
  for (const entry of all) {
    const at = join(entry.parentPath ?? entry.path, entry.name)
    if (entry.isDirectory()) chmodSync(at, 0o755)
    lutimesSync(at, epoch, epoch)
  }
  chmodSync(folder, 0o755)
  lutimesSync(folder, epoch, epoch)
}

/** @returns the package's path @throws {Error} in dpkg-deb's words */
export function buildDeb(product, scratch, out) {
  const folder = join(scratch, 'deb')
  const files = installed(product)
  stage(folder, [...controlFiles(product, files), ...files], product.epoch)
  const path = join(out, `${product.name}_${debVersion(product)}_${product.arch}.deb`)
  // One thread and a fixed level: the same bytes on every machine. -z2 takes 20 s, -z6 a minute for a tenth less.
  const args = ['--root-owner-group', '-Zxz', '-z2', '--threads-max=1', '--build', folder, path]
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(product.epoch) }
  const { status, stderr, error } = spawnSync('dpkg-deb', args, { encoding: 'utf8', env })
  if (status !== 0) throw new Error(`dpkg-deb: ${error?.message ?? stderr}`)
  return path
}
