import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { thirdPartyLicences } from './contents.mjs'
import { ROOT, SUMMARY } from './product.mjs'

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')
const root = ({ name, version }) => `pkg:generic/${name}@${version}`

/** Packages of which something is in the bundle: the titles in the file of their licences, which the build makes of esbuild's report. */
function bundledPackages(text) {
  const titles = text.matchAll(/^={80}\n((?:@[\w.-]+\/)?[\w.-]+) (\d\S*) \(([^)]*)\)\n={80}$/gm)
  return Array.from(titles, ([, name, version, licence]) => ({ name, version, licence }))
}

/** SHA-512 of a package's archive, as the lock file has it. */
function hashOf(lock, { name, version }) {
  const entry = Object.entries(lock.packages).find(
    ([path, { version: locked }]) => path.endsWith(`node_modules/${name}`) && locked === version,
  )
  const [, base64] = /^sha512-(\S+)$/.exec(entry?.[1].integrity ?? '') ?? []
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('hex')
}

/** A licence as CycloneDX wants it: an identifier of SPDX, or an expression of several. */
const licences = (text) => [/ (OR|AND|WITH) /.test(text) ? { expression: text } : { license: { id: text } }]

function npmComponent(lock, found) {
  const purl = `pkg:npm/${found.name.replace('@', '%40')}@${found.version}`
  const [, group, name = found.name] = /^(@[^/]+)\/(.*)$/.exec(found.name) ?? []
  const hash = hashOf(lock, found)
  return {
    type: 'library',
    'bom-ref': purl,
    ...(group === undefined ? {} : { group }),
    ...{ name, version: found.version, purl, licenses: licences(found.licence) },
    ...(hash === undefined ? {} : { hashes: [{ alg: 'SHA-512', content: hash }] }),
  }
}

function nodeComponent({ inside }) {
  if (inside.node === undefined) return []
  const purl = `pkg:generic/node@${inside.node}`
  const cpe = `cpe:2.3:a:nodejs:node.js:${inside.node}:*:*:*:*:*:*:*`
  return [
    { type: 'platform', 'bom-ref': purl, name: 'node', version: inside.node, purl, cpe, licenses: licences('MIT') },
  ]
}

function addonComponent({ version, license }) {
  const addon = readFileSync(join(ROOT, 'dist/netlink.node'))
  return {
    type: 'library',
    'bom-ref': `pkg:generic/flannel-agent-netlink@${version}`,
    ...{ name: 'flannel-agent-netlink', version, purl: `pkg:generic/flannel-agent-netlink@${version}` },
    description: 'netlink addon, a part of the executable',
    licenses: licences(license),
    hashes: [{ alg: 'SHA-256', content: sha256(addon) }],
  }
}

function debianComponent({ name, version, arch, release, hash }) {
  const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${arch}&distro=debian-${release}`
  const about = { name, version, purl, description: 'in the image only' }
  return { type: 'library', 'bom-ref': purl, ...about, hashes: [{ alg: 'SHA-256', content: hash }] }
}

/** The same bill has the same number: a UUID of its own content (RFC 9562, version 8). */
function serialNumber(text) {
  const hex = sha256(text)
  const variant = ((Number.parseInt(hex[16], 16) & 3) | 8).toString(16)
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `${variant}${hex.slice(17, 20)}`]
  return `urn:uuid:${[...parts, hex.slice(20, 32)].join('-')}`
}

function describeRoot(product) {
  const { name, version, license, inside, program } = product
  const commit = inside.commit === undefined ? {} : { properties: [{ name: 'commit', value: inside.commit }] }
  const hashes = [{ alg: 'SHA-256', content: sha256(program) }]
  const about = { name, version, description: SUMMARY, licenses: licences(license), purl: root(product), hashes }
  return { type: 'application', 'bom-ref': root(product), ...about, ...commit }
}

/**
 * The bill of materials: what is in the executable, and what the image has besides (CycloneDX 1.5).
 * @param debian packages of the image; empty when there is none
 * @returns its path
 */
export function billOfMaterials(product, debian, out) {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  const inside = [
    ...bundledPackages(thirdPartyLicences())
      .filter(({ name, version }) => hashOf(lock, { name, version }) !== undefined || name !== 'node')
      .map((found) => npmComponent(lock, found)),
    ...nodeComponent(product),
    addonComponent(product),
  ]
  const image = debian.map(debianComponent)
  const bill = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { timestamp: product.date, component: describeRoot(product) },
    components: [...inside, ...image],
    dependencies: [{ ref: root(product), dependsOn: inside.map((component) => component['bom-ref']) }],
  }
  const path = join(out, `${product.name}-${product.version}.cdx.json`)
  const whole = { ...bill, serialNumber: serialNumber(JSON.stringify(bill)) }
  writeFileSync(path, `${JSON.stringify(whole, null, 2)}\n`)
  return path
}
