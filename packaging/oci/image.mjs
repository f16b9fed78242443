import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { SUMMARY } from '../package/product.mjs'
import { tar, withDirectories } from '../package/tar.mjs'
import { imageFiles } from './files.mjs'

const OCI = 'application/vnd.oci.image'

const digest = (bytes) => createHash('sha256').update(bytes).digest('hex')
const json = (value) => Buffer.from(JSON.stringify(value))

/** A blob of the layout, and how others refer to it. */
function blob(mediaType, bytes) {
  const hash = digest(bytes)
  return {
    path: `blobs/sha256/${hash}`,
    bytes,
    descriptor: { mediaType, digest: `sha256:${hash}`, size: bytes.length },
  }
}

function annotations({ name, version, license, date, inside, packages }) {
  const prefix = 'org.opencontainers.image'
  return {
    [`${prefix}.title`]: name,
    [`${prefix}.description`]: SUMMARY,
    [`${prefix}.version`]: version,
    [`${prefix}.licenses`]: license,
    [`${prefix}.created`]: date,
    ...(inside.commit === undefined ? {} : { [`${prefix}.revision`]: inside.commit }),
    [`${prefix}.base.name`]: 'scratch',
    'debian.packages': packages.map(({ name: known, version: had }) => `${known}=${had}`).join(' '),
  }
}

/** What a runtime is told (OCI image specification, config.md). */
function configuration(product, layer, labels) {
  const made = `packaging/oci of flannel-agent ${product.version}`
  return {
    created: product.date,
    architecture: product.elf.machine.oci,
    os: 'linux',
    config: {
      Entrypoint: ['/usr/bin/flanneld'],
      Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
      WorkingDir: '/',
      StopSignal: 'SIGTERM',
      Labels: labels,
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest(layer)}`] },
    history: [{ created: product.date, created_by: made }],
  }
}

/**
 * An image in an archive that `docker load`, `podman load` and `ctr images import` take: an OCI layout, with the list that Docker
 * looks for beside it. One layer.
 * @returns its path
 */
export function buildImage(product, { packages, folder }, out) {
  const layer = tar(withDirectories(imageFiles(product, folder)), product.epoch)
  const labels = annotations({ ...product, packages })
  const compressed = blob(`${OCI}.layer.v1.tar+gzip`, gzipSync(layer, { level: 6 }))
  const config = blob(`${OCI}.config.v1+json`, json(configuration(product, layer, labels)))
  const content = { schemaVersion: 2, mediaType: `${OCI}.manifest.v1+json`, config: config.descriptor }
  const manifest = blob(content.mediaType, json({ ...content, layers: [compressed.descriptor], annotations: labels }))
  const tag = `${product.name}:${product.version}`
  const named = {
    'org.opencontainers.image.ref.name': product.version,
    'io.containerd.image.name': `docker.io/library/${tag}`,
  }
  const index = {
    schemaVersion: 2,
    mediaType: `${OCI}.index.v1+json`,
    manifests: [{ ...manifest.descriptor, annotations: named }],
  }
  const entries = [
    ...[compressed, config, manifest].map(({ path, bytes }) => ({ path, content: bytes, mode: 0o644 })),
    { path: 'oci-layout', content: json({ imageLayoutVersion: '1.0.0' }), mode: 0o644 },
    { path: 'index.json', content: json(index), mode: 0o644 },
    {
      path: 'manifest.json',
      content: json([{ Config: config.path, RepoTags: [tag], Layers: [compressed.path] }]),
      mode: 0o644,
    },
  ]
  const path = join(out, `${product.name}-${product.version}-${product.arch}.oci.tar`)
  writeFileSync(path, tar(withDirectories(entries), product.epoch))
  return path
}
