// npm run package: builds, and makes of it what an operator installs. Into dist/packages:
//
//   flannel-agent_<version>-<revision>_<arch>.deb       built by dpkg-deb
//   flannel-agent-<version>-linux-<arch>.tar.gz         install.sh and uninstall.sh, for everything else
//   flannel-agent-<version>-<arch>.oci.tar              image for `docker load`, of Debian's packages and the executable
//   flannel-agent-<version>-kubernetes.yml            manifest for `kubectl apply`
//   flannel-agent-<version>.tgz                       the same as a Helm chart
//   flannel-agent-<version>.cdx.json                    bill of materials, CycloneDX
//   SHA256SUMS
//
//   node packaging/package.mjs [--only deb,tarball,image,kubernetes,sbom] [--out FOLDER] [--revision N] [--debs FOLDER]
//                             [--executable FILE] [--stand-in]
//
// Two runs over one commit give the same bytes: times are the commit's (or SOURCE_DATE_EPOCH). The image also depends on the
// versions of Debian's packages, which the bill of materials names.
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildManifests } from './kubernetes/kubernetes.mjs'
import { buildDeb } from './deb/deb.mjs'
import { buildImage } from './oci/image.mjs'
import { debianPackages } from './oci/debian.mjs'
import { describeProduct, ROOT } from './package/product.mjs'
import { billOfMaterials } from './package/sbom.mjs'
import { buildTarball } from './tarball/tarball.mjs'

const PARTS = ['deb', 'tarball', 'image', 'kubernetes', 'sbom']

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: PARTS.join(',') },
      out: { type: 'string', default: join(ROOT, 'dist/packages') },
      revision: { type: 'string', default: '1' },
      // Debian's packages for the image, where they have been fetched (oci/debian.mjs).
      debs: { type: 'string' },
      executable: { type: 'string', default: join(ROOT, 'dist/flanneld') },
      // For tests: some other executable, which says nothing about itself.
      'stand-in': { type: 'boolean', default: false },
    },
  })
  const only = values.only.split(',')
  const unknown = only.find((part) => !PARTS.includes(part))
  if (unknown !== undefined) throw new Error(`--only: expected some of ${PARTS.join(',')}, found ${unknown}`)
  if (!/^[0-9a-z.+~]+$/.test(values.revision))
    throw new Error(`--revision: expected a Debian revision such as 1, found ${values.revision}`)
  return { ...values, only }
}

/** Debian's packages for the image; undefined, with a line that says why, where there is no apt. */
function packagesForImage(product, debs, scratch) {
  const found = debianPackages(product, debs, scratch)
  if ('problem' in found) console.log(`the image is left out: ${found.problem}`)
  return 'problem' in found ? undefined : found
}

/** What an earlier run has made there, of this version or another; nothing else that lies in the folder. */
function removeFormer(folder) {
  const ours = /^(flannel-agent[-_]\d.*(\.(deb|tar\.gz|tgz|oci\.tar|cdx\.json)|-kubernetes\.yml)|SHA256SUMS)$/
  for (const name of readdirSync(folder)) if (ours.test(name)) rmSync(join(folder, name))
}

function checksums(folder, files) {
  const lines = files
    .map((path) => basename(path))
    .sort()
    .map((name) => {
      const sum = createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex')
      return `${sum}  ${name}\n`
    })
  writeFileSync(join(folder, 'SHA256SUMS'), lines.join(''))
}

async function main() {
  const { only, out, debs, executable, revision, 'stand-in': isStandIn } = readOptions()
  const product = await describeProduct({ executable, revision, isStandIn })
  const scratch = mkdtempSync(join(tmpdir(), 'flannel-package-'))
  const has = (part) => only.includes(part)
  try {
    mkdirSync(out, { recursive: true })
    removeFormer(out)
    const debian = has('image') ? packagesForImage(product, debs, scratch) : undefined
    const files = []
    if (has('deb')) files.push(buildDeb(product, scratch, out))
    if (has('tarball')) files.push(buildTarball(product, out))
    if (debian !== undefined) files.push(buildImage(product, debian, out))
    if (has('kubernetes')) files.push(...buildManifests(product, out))
    if (has('sbom')) files.push(billOfMaterials(product, debian?.packages ?? [], out))
    checksums(out, files)
    for (const file of [...files, join(out, 'SHA256SUMS')]) console.log(file)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

await main()
