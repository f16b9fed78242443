/** Containers' addresses in the documents. Which ones a host gets is chance. */
const ADDRESS = /\b10(?:\.\d{1,3}){3}\b/g
/** Holds an address's place in a pattern. */
const PLACE = '\u0001'
/** Whatever differs and does not matter. */
const HOLE = '…'
/** That of the documents' networks: an address stands for the same one of the subnet that was really leased. */
const SUBNET_BITS = 12

const numberOf = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
const textOf = (number: number): string => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.')
const baseOf = (number: number): number => (number >>> SUBNET_BITS) << SUBNET_BITS

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/**
 * What the addresses in a document stand for in this run: learned where an output is shown, and put in place of them in the commands
 * that follow.
 */
export class Learned {
  /** Bases of subnets: the document's → the real one. */
  readonly #subnets = new Map<number, number>()

  /** A command with the addresses of this run. */
  translate(command: string): string {
    return command.replaceAll(ADDRESS, (address) => this.#real(address) ?? address)
  }

  #real(address: string): string | undefined {
    const number = numberOf(address)
    const real = this.#subnets.get(baseOf(number))
    return real === undefined ? undefined : textOf(real + (number - baseOf(number)))
  }

  /**
   * Looks for the lines that are shown among those that came, in this order; others may stand between them.
   * @returns the first one that is not there
   */
  missing(shown: readonly string[], came: readonly string[]): string | undefined {
    let at = 0
    for (const line of shown) {
      if (line.trim() === '' || line.trim() === HOLE) continue
      while (at < came.length && !this.#matches(line, came[at] ?? '')) at++
      if (at === came.length) return line
      at++
    }
    return undefined
  }

  #matches(shown: string, came: string): boolean {
    const addresses = Array.from(shown.matchAll(ADDRESS), ([address]) => address)
    const pattern = escaped(shown.trim().replaceAll(ADDRESS, PLACE))
      .replaceAll(/\s*…\s*/g, '.*')
      .replaceAll(/\s+/g, '\\s+')
      .replaceAll(PLACE, '(10(?:\\.\\d+){3})')
    const found = new RegExp(`^\\s*${pattern}\\s*$`).exec(came)
    if (found === null) return false
    const real = found.slice(1)
    const isConsistent = addresses.every((address, index) => [undefined, real[index]].includes(this.#real(address)))
    if (isConsistent) for (const [index, address] of addresses.entries()) this.#learn(address, real[index] ?? address)
    return isConsistent
  }

  #learn(shown: string, real: string): void {
    this.#subnets.set(baseOf(numberOf(shown)), baseOf(numberOf(real)))
  }
}
