import { setMaxListeners } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { runCni, type CniAnswer } from '../../src/cni/run.ts'
import type { Environment } from '../../src/config/environment.ts'
import { isObject, type JsonObject } from '../../src/config/json.ts'

export const SUBNET_ENV = `FLANNEL_NETWORK=10.0.0.0/8
FLANNEL_SUBNET=10.15.64.1/20
FLANNEL_MTU=1450
FLANNEL_IPMASQ=false
`

export const RESULT = '{"cniVersion":"1.0.0","ips":[{"address":"10.15.64.2/20"}]}'

/** A folder with plugins that are shell scripts, a subnet file and a data folder; the plugin under test runs in this process. */
export class PluginWorld {
  readonly folder: string
  readonly subnetFile: string
  readonly dataDir: string
  readonly remarks: string[] = []
  readonly stop = new AbortController()

  private constructor(folder: string) {
    this.folder = folder
    this.subnetFile = join(folder, 'subnet.env')
    this.dataDir = join(folder, 'data')
    setMaxListeners(0, this.stop.signal) // many calls at once are separate processes in life
  }

  static async create(): Promise<PluginWorld> {
    const world = new PluginWorld(await mkdtemp(join(tmpdir(), 'cni-')))
    onTestFinished(() => rm(world.folder, { recursive: true, force: true }))
    await writeFile(world.subnetFile, SUBNET_ENV)
    await world.install('bridge', `echo '${RESULT}'`)
    return world
  }

  /** Every call is kept in `calls`: command, container, interface; and its configuration as the newest `conf`. */
  async install(name: string, body: string): Promise<void> {
    const [bin, own] = [join(this.folder, 'bin'), this.folder]
    await mkdir(bin, { recursive: true })
    const script = `#!/bin/sh
cat > ${own}/conf.$$ && mv ${own}/conf.$$ ${own}/conf
echo "$0 $CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $CNI_ARGS" | sed 's,.*/bin/,,' >> ${own}/calls
${body}
`
    await writeFile(join(bin, name), script, { mode: 0o755 })
  }

  /** Calls the plugin with container `c1` and interface `eth0` unless told otherwise. */
  run(command: string, conf: object | string = {}, environment: Environment = {}): Promise<CniAnswer> {
    const text = typeof conf === 'string' ? conf : JSON.stringify({ cniVersion: '1.0.0', name: 'net', ...conf })
    return runCni({
      environment: {
        PATH: process.env['PATH'],
        CNI_COMMAND: command,
        CNI_CONTAINERID: 'c1',
        CNI_NETNS: '/run/netns/c1',
        CNI_IFNAME: 'eth0',
        CNI_PATH: `/nonexistent:${join(this.folder, 'bin')}`,
        ...environment,
      },
      stdin: chunks(text),
      stopSignal: this.stop.signal,
      about: 'flannel test',
      remark: (remark) => this.remarks.push(remark),
      defaults: { subnetFile: this.subnetFile, dataDir: this.dataDir },
    })
  }

  /** What plugins were called for, in order. */
  async calls(): Promise<readonly string[]> {
    const text = await readFile(join(this.folder, 'calls'), 'utf8').catch(() => '')
    return text.split('\n').flatMap((line) => (line === '' ? [] : [line.trim()]))
  }

  /** The configuration the last called plugin has read. */
  async conf(): Promise<JsonObject> {
    return parseObject(await readFile(join(this.folder, 'conf'), 'utf8'))
  }

  saved(): Promise<readonly string[]> {
    return readdir(this.dataDir).catch(() => [])
  }

  async savedConf(name: string): Promise<JsonObject> {
    return parseObject(await readFile(join(this.dataDir, name), 'utf8'))
  }

  async mode(name = ''): Promise<string> {
    return ((await stat(join(this.dataDir, name))).mode & 0o777).toString(8)
  }

  async save(name: string, text: string): Promise<void> {
    await mkdir(this.dataDir, { recursive: true })
    await writeFile(join(this.dataDir, name), text)
  }

  removeSubnetFile(): Promise<void> {
    return rm(this.subnetFile)
  }
}

export function parseObject(text: string): JsonObject {
  const value: unknown = JSON.parse(text)
  if (!isObject(value)) throw new Error(`no JSON object: ${text}`)
  return value
}

// eslint-disable-next-line @typescript-eslint/require-await -- standard input comes as it comes
async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  const half = Math.floor(bytes.length / 2)
  yield bytes.subarray(0, half)
  yield bytes.subarray(half)
}

/** What a failed call says. */
export function errorOf({ stdout, exitCode }: CniAnswer): JsonObject {
  if (exitCode === 0) throw new Error(`it succeeded: ${stdout}`)
  return parseObject(stdout)
}
