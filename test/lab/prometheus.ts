import type { ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exitOf, startLogged } from './command.ts'
import { freePorts } from './etcd-process.ts'
import { waitFor } from './wait-for.ts'

export interface PrometheusOptions {
  /** Its program. */
  readonly command: string
  /** `address:port` of what it scrapes in the job `flannel`. */
  readonly targets: readonly string[]
  /** A file of rules, in which nothing is waited for longer than a second. */
  readonly rules: string
}

/** One series of an answer. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [seconds: number, text: string]
}

export interface Alert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing'
}

export interface Target {
  readonly health: string
  readonly lastError: string
}

/** How often it scrapes, and looks at its rules. */
const INTERVAL = '1s'

/** A Prometheus of its own, in the laboratory's namespaces, with a folder that goes with it. */
export class Prometheus {
  readonly #folder: string
  readonly #child: ChildProcess
  readonly #url: string

  private constructor(folder: string, child: ChildProcess, url: string) {
    this.#folder = folder
    this.#child = child
    this.#url = url
  }

  static async start({ command, targets, rules }: PrometheusOptions): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'prometheus-'))
    const [port = 0] = await freePorts(1)
    const config = {
      global: { scrape_interval: INTERVAL, evaluation_interval: INTERVAL },
      rule_files: [join(folder, 'rules.yml')],
      scrape_configs: [{ job_name: 'flannel', static_configs: [{ targets }] }],
    }
    const text = await readFile(rules, 'utf8')
    await writeFile(join(folder, 'rules.yml'), text.replaceAll(/^( +for:) .*$/gm, `$1 ${INTERVAL}`))
    await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config))
    const flags = {
      'config.file': join(folder, 'prometheus.yml'),
      'storage.tsdb.path': join(folder, 'data'),
      'web.listen-address': `127.0.0.1:${port}`,
    }
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
    const child = startLogged([command, ...args], join(folder, 'log'))
    const made = new Prometheus(folder, child, `http://127.0.0.1:${port}`)
    try {
      await waitFor('Prometheus to be ready', async () => (await fetch(`${made.#url}/-/ready`)).ok, {
        deadlineMs: 30_000,
      })
    } catch (error) {
      const log = await made.log()
      await made.close()
      throw new Error(`Prometheus does not start:\n${log}`, { cause: error })
    }
    return made
  }

  log(): Promise<string> {
    return readFile(join(this.#folder, 'log'), 'utf8')
  }

  /** @throws {Error} with Prometheus' own words for an expression that it does not understand, or cannot evaluate */
  async query(expression: string): Promise<readonly Series[]> {
    const data = await this.#ask<{ readonly result: readonly Series[] }>('query', { query: expression })
    return data.result
  }

  /** The value of the one series that an expression has; undefined: it has none, or several. */
  async value(expression: string): Promise<number | undefined> {
    const [first, ...others] = await this.query(expression)
    return first === undefined || others.length > 0 ? undefined : Number(first.value[1])
  }

  /** Those that fire, by name. */
  async firing(): Promise<readonly Alert[]> {
    const { alerts } = await this.#ask<{ readonly alerts: readonly Alert[] }>('alerts')
    return alerts.filter(({ state }) => state === 'firing')
  }

  async targets(): Promise<readonly Target[]> {
    return (await this.#ask<{ readonly activeTargets: readonly Target[] }>('targets')).activeTargets
  }

  async #ask<T>(what: string, query: Readonly<Record<string, string>> = {}): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${what}?${new URLSearchParams(query).toString()}`)
    const answer = (await response.json()) as { readonly data: T; readonly error?: string }
    if (answer.error !== undefined) throw new Error(`${query['query'] ?? what}: ${answer.error}`)
    return answer.data
  }

  async close(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = exitOf(this.#child)
      this.#child.kill('SIGKILL')
      await ended
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}
