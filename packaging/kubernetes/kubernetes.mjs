import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { filesBelow } from '../package/contents.mjs'
import { ROOT } from '../package/product.mjs'
import { tar, withDirectories } from '../package/tar.mjs'

const FOLDER = 'packaging/kubernetes'

/**
 * The chart in the form in which Helm takes it, and the manifest that is rendered of it (test/kube/chart.test.ts).
 * @returns their paths
 * @throws {Error} when they are of another version than the product
 */
export function buildManifests({ name, version, epoch }, out) {
  const manifest = readFileSync(join(ROOT, FOLDER, 'kube-flannel.yml'), 'utf8')
  if (!manifest.includes(`image: ${name}:${version}\n`))
    throw new Error(`${FOLDER}/kube-flannel.yml: expected the image ${name}:${version}`)
  const plain = join(out, `${name}-${version}-kubernetes.yml`)
  writeFileSync(plain, manifest)
  const entries = filesBelow(`${FOLDER}/chart`).map(({ path, content }) => ({
    ...{ path: `${name}/${path}`, content, mode: 0o644 },
  }))
  const chart = join(out, `${name}-${version}.tgz`)
  writeFileSync(chart, gzipSync(tar(withDirectories(entries), epoch), { level: 6 }))
  return [plain, chart]
}
