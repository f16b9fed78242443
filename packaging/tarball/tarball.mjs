import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { assemble } from '../package/assemble.mjs'
import { changelog, documentation, filesBelow, licence, thirdPartyLicences } from '../package/contents.mjs'
import { tar, withDirectories } from '../package/tar.mjs'

const file = (path, content, mode = 0o644) => ({ path, content: Buffer.from(content), mode })

/** What install.sh finds beside itself. */
function contents(product) {
  const { texts, program, version, elf, date } = product
  const values = {
    VERSION: version,
    UNAME: elf.machine.uname,
    GLIBC: elf.glibc,
    DATE: date,
    PROGRAM_KIB: Math.ceil(program.length / 1024),
    SETTING_NAMES: texts.settingNames.join(' '),
  }
  const script = (name) => file(name, assemble(`tarball/${name}`, values), 0o755)
  const units = filesBelow('packaging/systemd').filter(({ path }) => path.endsWith('.service'))
  return [
    script('install.sh'),
    script('uninstall.sh'),
    file('bin/flanneld', program, 0o755),
    file('default/flanneld', texts.settings),
    ...units.map(({ path, content }) => file(`systemd/${path}`, content)),
    file('man/flanneld.8', texts.manual),
    file('completions/flanneld.bash', texts.bash),
    file('completions/_flanneld', texts.zsh),
    file('completions/flanneld.fish', texts.fish),
    file('LICENSE', licence()),
    file('CHANGELOG.md', changelog()),
    file('THIRD-PARTY-LICENSES.txt', thirdPartyLicences()),
    ...documentation(),
  ]
}

/** @returns the archive's path */
export function buildTarball(product, out) {
  const top = `${product.name}-${product.version}-linux-${product.arch}`
  const entries = contents(product).map((entry) => ({ ...entry, path: `${top}/${entry.path}` }))
  const path = join(out, `${top}.tar.gz`)
  writeFileSync(path, gzipSync(tar(withDirectories(entries), product.epoch), { level: 6 }))
  return path
}
