import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { ALERT_CASES, type AlertCase } from './alert-cases.ts'
import { exposition, namesIn, SERIES_NAMES } from './exposition.ts'
import { hindrance, promtool, ROOT } from './promtool.ts'

const RULES = join(ROOT, 'packaging/prometheus/flannel.rules.yml')
const GUIDE = 'docs/metrics.md'

interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly labels?: { readonly severity?: string }
  readonly annotations?: { readonly summary?: string; readonly description?: string; readonly runbook_url?: string }
}

const { groups } = parse(await readFile(RULES, 'utf8')) as { groups: readonly { readonly rules: readonly Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)
const alerts = rules.flatMap((rule) => (rule.alert === undefined ? [] : [{ ...rule, alert: rule.alert }]))

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flannel-rules-'))
})
afterAll(() => rm(folder, { recursive: true }))

const firing = (alert: string, minute: number, count: number): object => ({
  expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
  eval_time: `${minute}m`,
  exp_samples: count === 0 ? [] : [{ labels: '{}', value: count }],
})

const testOf = ({ alert, series, fires, isQuiet }: AlertCase): object => ({
  interval: '1m',
  input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
  promql_expr_test: [
    ...fires.map((minute) => firing(alert, minute, 1)),
    ...isQuiet.map((minute) => firing(alert, minute, 0)),
  ],
})

async function judge(name: string, tests: readonly object[]): Promise<void> {
  const path = join(folder, `${name}.yml`)
  await writeFile(path, stringify({ rule_files: [RULES], evaluation_interval: '1m', tests }))
  const { code, stdout, stderr } = await promtool(['test', 'rules', path])
  expect([code, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining('SUCCESS')])
}

describe('the alert rules', () => {
  it('each say what, why, and where there is more', async () => {
    const headings = Array.from(
      (await readFile(join(ROOT, GUIDE), 'utf8')).matchAll(/^### (\w+)$/gm),
      ([, name]) => name,
    )
    for (const { alert, annotations, labels } of alerts) {
      expect(annotations?.summary).toMatch(/\w/)
      expect(annotations?.description).toMatch(/\.$|\}\}$/)
      expect(annotations?.runbook_url).toBe(`${GUIDE}#${alert.toLowerCase()}`)
      expect(labels?.severity).toMatch(/^(warning|critical)$/)
    }
    expect(headings).toEqual(alerts.map(({ alert }) => alert))
  })

  it('ask for metrics that there are', () => {
    const recorded = rules.flatMap(({ record }) => record ?? [])
    for (const { expr } of rules)
      for (const name of namesIn(recorded.reduce((text, one) => text.replaceAll(one, ''), expr)))
        expect([name, SERIES_NAMES.has(name)]).toEqual([name, true])
  })

  it('each have a case in which they fire, and clear', () => {
    expect(ALERT_CASES.map(({ alert }) => alert)).toEqual(alerts.map(({ alert }) => alert))
  })
})

describe.skipIf(hindrance !== undefined)('Prometheus', () => {
  it('takes the rules and the example of a configuration', async () => {
    const { code, stdout, stderr } = await promtool([
      'check',
      'config',
      join(ROOT, 'packaging/prometheus/prometheus.yml'),
    ])
    expect([code, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining(`SUCCESS: ${rules.length} rules found`)])
  })

  it('fires each alert when something is amiss for long enough, and clears it when it is not', async () => {
    await judge('cases', ALERT_CASES.map(testOf))
  })

  it('fires none over a fleet that fares well', async () => {
    const lines = (await exposition()).split('\n').filter((line) => /^[a-z]/.test(line))
    const series = lines.map((line) => {
      const at = line.lastIndexOf(' ')
      const name = line.slice(0, at)
      const labels = 'job="flannel",instance="a"'
      return {
        series: name.endsWith('}') ? name.replace('{', `{${labels},`) : `${name}{${labels}}`,
        values: `${line.slice(at + 1)}x120`,
      }
    })
    const quiet = { expr: 'ALERTS', eval_time: '100m', exp_samples: [] }
    const up = { series: 'up{job="flannel",instance="a"}', values: '1x120' }
    await judge('quiet', [{ interval: '1m', input_series: [...series, up], promql_expr_test: [quiet] }])
  })

  it.each(['', 'collect[]=peers'])('finds nothing to say of the metrics themselves (%s)', async (query) => {
    const { code, stdout, stderr } = await promtool(['check', 'metrics'], await exposition(undefined, query))
    expect([code, `${stdout}${stderr}`]).toEqual([0, ''])
  })
})
