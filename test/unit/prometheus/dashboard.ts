import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './promtool.ts'

export interface Target {
  readonly refId: string
  readonly expr: string
  readonly datasource: { readonly uid: string }
}

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly Target[]
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
}

/** What is used here of a dashboard as Grafana exports it. */
export interface Dashboard {
  readonly id: null
  readonly uid: string
  readonly title: string
  readonly schemaVersion: number
  readonly panels: readonly Panel[]
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[]
  }
}

export const readDashboard = (): Dashboard =>
  JSON.parse(readFileSync(join(ROOT, 'packaging/grafana/flannel-agent.json'), 'utf8')) as Dashboard

/** All expressions, with what Grafana puts in for its variables. */
export const expressionsOf = ({ panels }: Dashboard, job: string, instance: string): readonly string[] =>
  panels.flatMap(({ targets = [] }) =>
    targets.map(({ expr }) =>
      expr.replaceAll('$job', job).replaceAll('$instance', instance).replaceAll('$__rate_interval', '2m'),
    ),
  )
