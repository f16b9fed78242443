import { describe, expect, it } from 'vitest'
import { expressionsOf, readDashboard } from './dashboard.ts'
import { namesIn, SERIES_NAMES } from './exposition.ts'
import { hindrance, promtool } from './promtool.ts'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'

const dashboard = readDashboard()
const panels = dashboard.panels.filter(({ type }) => type !== 'row')

/** Of Grafana's own panels, in every version since 8. */
const TYPES = new Set(['stat', 'timeseries', 'table'])
/** Names that Grafana has for units (packages/grafana-data: valueFormats/categories.ts). */
const UNITS = new Set(['short', 's', 'bytes', 'percentunit', 'reqps', 'pps'])

describe('the dashboard', () => {
  it('can be imported: no id of another Grafana, panels of kinds and units that it has, each with a name and words', () => {
    expect(dashboard.id).toBeNull()
    expect(dashboard.uid).toBe('flannel-agent')
    for (const { type, title, description = '', fieldConfig } of panels) {
      expect(TYPES).toContain(type)
      expect(title).toMatch(/\w/)
      expect(description).toMatch(/\w/)
      expect(UNITS).toContain(fieldConfig?.defaults.unit)
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
  })

  it('asks the data source that is chosen, and no other', () => {
    const [first] = dashboard.templating.list
    expect(first).toMatchObject({ name: 'datasource', type: 'datasource' })
    const sources = panels.flatMap(({ datasource, targets = [] }) => [
      datasource,
      ...targets.map((one) => one.datasource),
    ])
    expect(new Set(sources.map((source) => source?.uid))).toEqual(new Set(['${datasource}']))
  })

  it('has panels beside each other, and none over another', () => {
    const taken = new Set<string>()
    for (const { gridPos, title } of dashboard.panels)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, x < 24, taken.has(`${x} ${y}`)]).toEqual([title, true, false])
          taken.add(`${x} ${y}`)
        }
  })

  it('asks for metrics that there are, with variables that it has', () => {
    const variables = new Set(dashboard.templating.list.map(({ name }) => name))
    for (const { expr } of panels.flatMap(({ targets = [] }) => targets)) {
      for (const name of namesIn(expr)) expect([name, SERIES_NAMES.has(name)]).toEqual([name, true])
      for (const [, name = ''] of expr.matchAll(/\$(\w+)/g))
        expect([name, variables.has(name) || name === '__rate_interval']).toEqual([name, true])
    }
  })

  it.skipIf(hindrance !== undefined)('asks in expressions that Prometheus understands', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'flannel-dashboard-'))
    try {
      const expressions = expressionsOf(dashboard, 'flannel', 'a:8081')
      const rules = expressions.map((expr, at) => ({ record: `panel:${at}`, expr }))
      await writeFile(join(folder, 'panels.yml'), stringify({ groups: [{ name: 'panels', rules }] }))
      const { code, stdout, stderr } = await promtool(['check', 'rules', join(folder, 'panels.yml')])
      expect([code, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining(`SUCCESS: ${expressions.length} rules`)])
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
