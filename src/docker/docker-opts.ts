import { parseArgs } from 'node:util'
import type { Environment } from '../config/environment.ts'
import { ConfigError, describeValue } from '../config/error.ts'
import type { CommandEnd } from '../cli/commands.ts'
import { dockerOptionsFrom, type DockerOptions } from './docker-options.ts'

/** The file system as this command needs it. */
export interface DockerOptsFiles {
  /** @throws the file system's own error */
  read(path: string): Promise<string>
  /** Replaces the file as a whole; what is no file (a device, a FIFO) is written to. @throws the file system's own error */
  write(path: string, text: string): Promise<void>
}

export const DOCKER_OPTS_HELP = `Usage: flanneld docker-opts [-f FILE] [-d FILE] [-i] [-c] [-k NAME] [-m] [-6]

Writes options for dockerd, made of what flanneld says in its subnet file.

  -f FILE   subnet file to read (default: /run/flannel/subnet.env)
  -d FILE   file to write, for EnvironmentFile= or a shell (default: /run/docker_opts.env)
  -i        each option in a variable of its own: DOCKER_OPT_BIP, DOCKER_OPT_IPMASQ,
            DOCKER_OPT_MTU
  -c        all options in one variable; without -i and -c both are written
  -k NAME   name of that one variable (default: DOCKER_OPTS)
  -m        leave --ip-masq out, for a Docker that does not know it
  -6        add --ipv6 and --fixed-cidr-v6 when there is an IPv6 subnet

Exit code: 0 when the file is written; 1 when the subnet file is not there or not right, or the
file cannot be written; 2 for bad usage.
`

const OPTIONS = {
  subnetFile: { type: 'string', short: 'f', default: '/run/flannel/subnet.env' },
  output: { type: 'string', short: 'd', default: '/run/docker_opts.env' },
  individual: { type: 'boolean', short: 'i', default: false },
  combined: { type: 'boolean', short: 'c', default: false },
  key: { type: 'string', short: 'k', default: 'DOCKER_OPTS' },
  noMasq: { type: 'boolean', short: 'm', default: false },
  ipv6: { type: 'boolean', short: '6', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

/** What was asked for on the command line. */
interface DockerOptsRequest {
  readonly subnetFile: string
  readonly output: string
  readonly individual: boolean
  readonly combined: boolean
  readonly key: string
  readonly noMasq: boolean
  readonly ipv6: boolean
  readonly help: boolean
}

/**
 * `flanneld docker-opts`: turns the subnet file into Docker's options, as upstream's `mk-docker-opts.sh` does.
 * @param environment DOCKER_OPT_* variables and one named as the combined key are added to what is written, as upstream does
 * @throws never
 */
export async function dockerOpts(
  args: readonly string[],
  environment: Environment,
  files: DockerOptsFiles,
): Promise<CommandEnd> {
  try {
    const request = readRequest(args)
    if (request.help) return { code: 0, stdout: DOCKER_OPTS_HELP, stderr: '' }
    const given = givenOptions(environment, request.key)
    return await makeFile(request, given, files)
  } catch (error) {
    return { code: 2, stdout: '', stderr: `flanneld docker-opts: ${messageOf(error)}\n` }
  }
}

async function makeFile(request: DockerOptsRequest, given: Given, files: DockerOptsFiles): Promise<CommandEnd> {
  const { subnetFile, output, noMasq, ipv6 } = request
  try {
    const text = await files.read(subnetFile).catch((error: unknown) => {
      throw new Error(`cannot read ${subnetFile}, which a running flanneld writes: ${messageOf(error)}`)
    })
    const ours = dockerOptionsFrom(subnetFile, text, { ipMasq: !noMasq, ipv6 })
    await files.write(output, render(request, given, ours)).catch((error: unknown) => {
      throw new Error(`cannot write ${output}: ${messageOf(error)}`)
    })
    return { code: 0, stdout: '', stderr: '' }
  } catch (error) {
    return { code: 1, stdout: '', stderr: `flanneld docker-opts: ${messageOf(error)}\n` }
  }
}

type OptionName = keyof typeof OPTIONS

const isOption = (name: string): name is OptionName => Object.hasOwn(OPTIONS, name)

/** @throws {ConfigError} naming the argument */
function readRequest(args: readonly string[]): DockerOptsRequest {
  const given = args.map((arg) => (arg === '-?' ? '-h' : arg))
  const { tokens } = parseArgs({ args: given, options: OPTIONS, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind === 'positional') throw new ConfigError('arguments', 'flags only', token.value)
    if (token.kind === 'option') checkOption(token)
  }
  const { values } = parseArgs({ args: given, options: OPTIONS })
  if (!VARIABLE_NAME.test(values.key))
    throw new ConfigError('-k', 'the name of a variable, not beginning with DOCKER_OPT_', values.key)
  if (INTERPRETED.test(values.key))
    throw new ConfigError('-k', 'a name that no shell, loader or runtime takes for its own', values.key)
  for (const [flag, path] of [
    ['-f', values.subnetFile],
    ['-d', values.output],
  ] as const)
    if (path === '' || path.includes('\0')) throw new ConfigError(flag, 'the path of a file', path)
  return values
}

interface OptionToken {
  readonly name: string
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

/** @throws {ConfigError} for what is no option of ours, lacks its value, or has one that it does not take */
function checkOption({ name, rawName, value, inlineValue }: OptionToken): void {
  if (!isOption(name) || (rawName.startsWith('--') && name !== 'help'))
    throw new ConfigError(rawName, 'a flag of flanneld docker-opts (see flanneld docker-opts --help)', rawName)
  const takesValue = OPTIONS[name].type === 'string'
  if (!takesValue && value !== undefined) throw new ConfigError(rawName, 'no value', value)
  const isNextFlag = inlineValue === false && value !== undefined && /^-./.test(value)
  if (takesValue && (value === undefined || isNextFlag)) throw new ConfigError(rawName, 'a value after it', value)
}

/**
 * Variables that mean something to who reads the file: shells (POSIX.1-2017, Shell Command Language §2.5.3; bash(1)), the loader
 * (ld.so(8)), libc (environ(7)), systemd (sd_notify(3)), the runtimes of Go and Node, and what names proxies.
 */
const INTERPRETED = new RegExp(
  `^(?:${[
    '_|PATH|HOME|IFS|ENV|CDPATH|PWD|OLDPWD|SHELL|SHELLOPTS|BASH.*|PS[0-4]|P?PID|E?UID|FUNCNEST|GLOBIGNORE',
    'PROMPT_COMMAND|OPTIND|OPTARG|OPTERR|USER|LOGNAME|TMPDIR|TERM|TZ|TZDIR|LANG|LANGUAGE|NLSPATH|LOCPATH',
    'GCONV_PATH|GETCONF_DIR|HOSTALIASES|RES_OPTIONS|LOCALDOMAIN|(?:LD|LC|GLIBC|MALLOC|LISTEN|NODE)_.*|NOTIFY_SOCKET',
    'GODEBUG|GOGC|GOMAXPROCS|GOMEMLIMIT|GOTRACEBACK|(?:HTTPS?|ALL|NO|FTP)_PROXY',
  ].join('|')})$`,
  'i',
)

const VARIABLE_NAME = /^(?!DOCKER_OPT_)[A-Za-z_][A-Za-z0-9_]*$/

/** Options that somebody else has put into our environment. */
interface Given {
  readonly individual: DockerOptions
  /** Of the combined variable; empty when there is none. */
  readonly combined: string
}

/** @throws {ConfigError} for a value that could not be written down so that everybody reads it alike */
function givenOptions(environment: Environment, key: string): Given {
  const individual = Object.entries(environment)
    .filter(([name]) => /^DOCKER_OPT_[A-Za-z0-9_]+$/.test(name))
    .map(([name, value = '']) => [name, quotable(name, value)] as const)
  return { individual, combined: quotable(key, environment[key] ?? '') }
}

/** What stands between double quotes just as it is, for a shell (POSIX.1-2017, Shell Command Language §2.2.3) and for systemd. */
function quotable(name: string, value: string): string {
  if (/["\\$`\p{Cc}]/u.test(value))
    throw new ConfigError(`the variable ${name}`, 'options without quotes, $, ` and backslash', value)
  return value
}

function render({ individual, combined, key }: DockerOptsRequest, given: Given, ours: DockerOptions): string {
  const byName = new Map([...given.individual, ...ours])
  const options = [...byName].sort(([a], [b]) => (a < b ? -1 : 1))
  const both = individual === combined
  const lines = options.map(([name, option]) => `${name}="${option}"\n`)
  const start = given.combined === '' ? '' : `${given.combined} `
  const all = `${key}="${start}${options.map(([, option]) => ` ${option}`).join('')}"\n`
  return [...(individual || both ? lines : []), ...(combined || both ? [all] : [])].join('')
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : describeValue(error))
