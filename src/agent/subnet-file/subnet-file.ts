import type { OwnSubnet } from '../../backend/backend.ts'
import { NoRegularFileError } from '../../host/files/regular-file.ts'
import { removeFile, removeTemporaryFiles, writeFileAtomically } from '../../host/files/atomic-file.ts'
import { fileSays, renderSubnetEnv, watchFile } from '../../host/subnet-env.ts'
import type { Clock } from '../../time/clock.ts'
import type { Family } from '../../net/ip.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { Logger } from '../../observe/logger.ts'
import type { ConditionReports } from '../runtime/conditions.ts'
import { SUBNET_FILE } from '../runtime/status.ts'
import { isStopped, ROUND_MS, type Task } from '../runtime/task.ts'

const RETRY_MS = 1_000
/** Where nothing tells of a change, the file is read again this often; however much happens beside it, no more often than that. */
const CHECK_EVERY_MS = 60_000
const CHECK_SPACING_MS = 1_000

export interface SubnetFilePorts {
  readonly clock: Clock
  readonly log: Logger
  readonly conditions: ConditionReports
}

/**
 * Keeps the subnet file true: nothing before the overlay forwards, then whatever the MTU is, rewritten when that changes and when
 * somebody has changed or removed the file.
 */
export class SubnetFile implements Task {
  readonly name = 'subnet file'
  readonly roundMs = ROUND_MS.files
  readonly #path: string
  readonly #subnets: readonly OwnSubnet[]
  readonly #ipMasq: boolean
  readonly #clock: Clock
  readonly #log: Logger
  readonly #conditions: ConditionReports
  #released: ReadonlySet<Family> = new Set()
  readonly #mtus = new Map<Family, number>()
  #written = ''
  readonly #somethingToDo = new Wakeup()
  #unwatch: () => void = () => undefined

  constructor(
    path: string,
    subnets: readonly OwnSubnet[],
    { clock, log, conditions }: SubnetFilePorts,
    ipMasq = false,
  ) {
    this.#path = path
    this.#subnets = subnets
    this.#ipMasq = ipMasq
    this.#clock = clock
    this.#log = log
    this.#conditions = conditions
  }

  /** Whether the file says what is true now, as far as we know. */
  get isWritten(): boolean {
    return this.#written !== '' && this.#written === this.#text()
  }

  /** MTU of the overlay device of one family, in octets. */
  setMtu(family: Family, mtu: number): void {
    if (mtu !== this.#mtus.get(family)) this.#somethingToDo.ring()
    this.#mtus.set(family, mtu)
  }

  /** A container has one MTU for both families: what the narrower device carries. Undefined until all that are released are known. */
  get #mtu(): number | undefined {
    const mtus = [...this.#released].flatMap((family) => this.#mtus.get(family) ?? [])
    return mtus.length > 0 && mtus.length === this.#released.size ? Math.min(...mtus) : undefined
  }

  /** Readers may be let in, and told of these families. */
  release(families: Iterable<Family>): void {
    this.#released = new Set(families)
    this.#somethingToDo.ring()
  }

  #text(): string {
    const mtu = this.#mtu
    const subnets = this.#subnets.filter(({ subnet }) => this.#released.has(subnet.family))
    return mtu === undefined ? '' : renderSubnetEnv({ subnets, mtu, ipMasq: this.#ipMasq })
  }

  /** Writes the file whenever there is something new to say, or it does not say what it should. */
  async run(loop: Loop): Promise<void> {
    const { signal, rest } = loop
    while (!isStopped(signal)) {
      const text = this.#text()
      const retryMs = await this.sync()
      if (retryMs === undefined) await rest(CHECK_EVERY_MS, this.#somethingToDo)
      else await this.#waitToRetry(text, retryMs, loop)
      if (this.isWritten) await rest(CHECK_SPACING_MS)
    }
    this.#unwatch()
  }

  /** Only something else to say cuts this short: the watch does not, since our own attempts leave their traces beside the file. */
  async #waitToRetry(failed: string, ms: number, { signal, rest }: Loop): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + ms
    while (!isStopped(signal) && this.#text() === failed) {
      const leftMs = untilMs - this.#clock.monotonicMs()
      if (leftMs <= 0) return
      await rest(leftMs, this.#somethingToDo)
    }
  }

  /**
   * Looks whether the file says what it should, and writes it if not.
   * @returns when to try again, in milliseconds, if it could not be written
   */
  async sync(): Promise<number | undefined> {
    const text = this.#text()
    if (text === '' || (text === this.#written && (await this.#isUntouched()))) return undefined
    try {
      if (this.#written === '') await removeTemporaryFiles(this.#path)
      await writeFileAtomically(this.#path, text)
    } catch (error) {
      this.#complain(error)
      return RETRY_MS
    }
    this.#written = text
    this.#conditions.holds(SUBNET_FILE)
    this.#watchAnew()
    this.#log.info('subnet file written', { file: this.#path, mtu: this.#mtu }, { kind: 'subnet-file-written' })
    return undefined
  }

  /** Whether the file still says what we wrote. If not, it counts as not written from now on. */
  async #isUntouched(): Promise<boolean> {
    if (await fileSays(this.#path, this.#written)) return true
    this.#log.warn(
      'the subnet file was changed or removed by somebody; writing it again',
      { file: this.#path },
      { kind: 'subnet-file-undone' },
    )
    this.#written = ''
    return false
  }

  /** The directory may be another one than it was. */
  #watchAnew(): void {
    this.#unwatch()
    this.#unwatch = watchFile(this.#path, () => {
      this.#somethingToDo.ring()
    })
  }

  /** The subnet is no longer ours: nobody may start containers in it. */
  async withdraw(): Promise<void> {
    this.#released = new Set()
    try {
      await removeFile(this.#path)
      this.#written = ''
    } catch (error) {
      this.#log.error(`cannot remove the subnet file: ${reasonOf(error)}`, { file: this.#path })
    }
  }

  #complain(error: unknown): void {
    const reason = reasonOf(error)
    this.#conditions.fails(SUBNET_FILE, `cannot be written: ${reason}`, 'unready', {
      ...(error instanceof Error ? { error } : {}),
      says: `cannot write ${this.#path}: ${reason}; retrying every second, forwarding goes on`,
      saysHolds: false, // that it was written is said each time
    })
  }
}

/** The temporary name in the message of a file system's error is noise. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof NoRegularFileError) return `there is ${error.kind} in its place`
  if ('code' in error && (error.code === 'EISDIR' || error.code === 'ERR_FS_EISDIR'))
    return 'there is a directory in its place'
  return error.message.replace(/, \w+ '.*$/, '')
}
