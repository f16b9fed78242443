import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { FLAGS } from '../../../src/cli/flags.ts'
import { environmentName } from '../../../src/cli/flag.ts'
import { unknownVariables } from '../../../src/cli/unknown-variables.ts'
import { isObject, objectAt, objectsAt, textAt, type JsonObject } from '../../lab/json.ts'
import { butane, CLOUD_CONFIG, FLANNEL_KEYS } from './coreos-shapes.ts'
import { faultsIn, type Shape } from './shape.ts'
import { complaintsAbout, hasSystemd } from './verify-units.ts'

const PACKAGING = join(import.meta.dirname, '../../../packaging')
const textOf = (name: string): string => readFileSync(join(PACKAGING, name), 'utf8')

/** As these programs read YAML: 0755 is an octal number. */
const readYaml = (text: string): JsonObject => {
  const document: unknown = parse(text, { version: '1.1' })
  return isObject(document) ? document : {}
}
const read = (name: string): JsonObject => readYaml(textOf(`coreos/${name}`))

const DOCKER = '[Service]\nExecStart=/bin/true $DOCKER_OPTS $OPTIONS\n'

/** The units that come of a recipe, as they lie below /etc/systemd/system. */
function unitsOf(units: readonly JsonObject[], dropIns: string, contents: string): ReadonlyMap<string, string> {
  const files = new Map([['docker.service', DOCKER]])
  for (const unit of units) {
    const name = textAt(unit, 'name') ?? ''
    const text = textAt(unit, contents)
    if (text !== undefined) files.set(name, text)
    for (const dropIn of objectsAt(unit, dropIns))
      files.set(`${name}.d/${textAt(dropIn, 'name') ?? ''}`, textAt(dropIn, contents) ?? '')
  }
  return files
}

/** Names and values of a file of options. */
const variablesIn = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(Array.from(text.matchAll(/^(\w+)=(.*)$/gm), ([, name = '', value = '']) => [name, value]))

const RECIPES: readonly (readonly [string, Shape])[] = [
  ['flatcar.bu', butane('flatcar', '1.0.0')],
  ['fedora-coreos.bu', butane('fcos', '1.4.0')],
]

describe.each(RECIPES)('the Butane configuration %s', (name, shape) => {
  const recipe = read(name)
  const files = objectsAt(objectAt(recipe, 'storage'), 'files')
  const file = (path: string): JsonObject => files.find((entry) => textAt(entry, 'path') === path) ?? {}
  const local = (entry: JsonObject): string | undefined => textAt(objectAt(entry, 'contents'), 'local')

  it('has documented fields only', () => {
    expect(faultsIn(recipe, shape)).toEqual([])
    const misspelt = readYaml(textOf(`coreos/${name}`).replace('dropins:', 'drop-ins:').replace('sha256-', 'md5-'))
    expect(faultsIn(misspelt, shape)).toEqual([
      expect.stringContaining('hash: expected'),
      '.systemd.units[0].drop-ins: no such field',
    ])
  })

  it('installs a program that can be executed and is what its hash says', () => {
    expect(file('/opt/bin/flanneld')).toMatchObject({ mode: 0o755 })
    expect(textAt(objectAt(file('/opt/bin/flanneld'), 'contents'), 'source')).toMatch(/^https:/)
  })

  it('takes every local file from packaging/, and none that is not there', () => {
    const names = files.flatMap((entry) => local(entry) ?? [])
    expect(names).toContain('systemd/flanneld.service')
    for (const path of names) expect(existsSync(join(PACKAGING, path))).toBe(true)
  })

  it('has options that the agent reads, hidden from others than root', () => {
    const options = file('/etc/flannel/options.env')
    const variables = variablesIn(textAt(objectAt(options, 'contents'), 'inline') ?? '')
    expect(Object.keys(variables)).toContain('FLANNELD_ETCD_ENDPOINTS')
    expect(unknownVariables(variables)).toEqual([])
    for (const value of Object.values(variables)) expect(value).not.toMatch(/[\s#]/) // comments are no comments there
    expect(options).toMatchObject({ mode: 0o600 })
  })

  it.skipIf(!hasSystemd)('makes units that systemd has nothing to say against', () => {
    const units = new Map(unitsOf(objectsAt(objectAt(recipe, 'systemd'), 'units'), 'dropins', 'contents'))
    for (const entry of files)
      if (textAt(entry, 'path')?.startsWith('/etc/systemd/system/') === true)
        units.set((textAt(entry, 'path') ?? '').replace('/etc/systemd/system/', ''), textOf(local(entry) ?? ''))
    expect([...units.keys()]).toContain('flanneld.service.d/10-opt-bin.conf')
    expect(complaintsAbout(units)).toEqual([])
  })
})

describe('the cloud-config of CoreOS', () => {
  const recipe = read('cloud-config.yaml')
  const units = objectsAt(objectAt(recipe, 'coreos'), 'units')
  const unit = (name: string): JsonObject => units.find((entry) => textAt(entry, 'name') === name) ?? {}

  it('begins as one does, and has documented fields only', () => {
    expect(textOf('coreos/cloud-config.yaml')).toMatch(/^#cloud-config\n/)
    expect(faultsIn(recipe, CLOUD_CONFIG)).toEqual([])
    expect(faultsIn({ coreos: { flannel: { iface: 'eth0' } } }, CLOUD_CONFIG)).toEqual([
      '.coreos.flannel.iface: no such field',
    ])
  })

  it.each([
    ['flanneld.service', 'systemd/flanneld.service'],
    ['flannel-docker-opts.service', 'systemd/flannel-docker-opts.service'],
    ['00-flannel-agent.network', 'network/00-flannel-agent.network'],
    ['00-flannel-agent.link', 'network/00-flannel-agent.link'],
  ])('has %s as it stands in packaging/', (name, path) => {
    expect(textAt(unit(name), 'content')).toBe(textOf(path))
  })

  it.skipIf(!hasSystemd)('makes units that systemd has nothing to say against', () => {
    expect(complaintsAbout(unitsOf(units, 'drop-ins', 'content'))).toEqual([])
  })
})

describe('the keys of "coreos: flannel:"', () => {
  it.each(Object.entries(FLANNEL_KEYS))('%s is --%s, in the table of the guide too', (key, flag) => {
    expect(Object.values(FLAGS).map(({ name }) => name)).toContain(flag)
    expect(textOf('coreos/README.md')).toContain(`| \`${key}\` | \`${environmentName(flag)}\` | \`--${flag}\` |`)
  })
})
