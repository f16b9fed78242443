/** One event of a stream (WHATWG HTML, 9.2.6): only what carries data is one. */
export interface StreamEvent {
  readonly id: string
  readonly data: string
}

/** Of one event, in UTF-16 units: ours have a hundredth of it, and a stream without an end of line must not fill the memory. */
const LONGEST_EVENT = 1_000_000

/** Reads a stream of events piece by piece, however it is cut. */
export class StreamReader {
  #rest = ''
  #data: string[] = []
  #id = ''

  /**
   * @returns what is complete by now
   * @throws {RangeError} for an event longer than there are any
   */
  push(text: string): readonly StreamEvent[] {
    const lines = (this.#rest + text).split(/\r\n|\n/)
    this.#rest = lines.pop() ?? ''
    if (this.#rest.length + this.#data.join('').length > LONGEST_EVENT) throw new RangeError('an event without an end')
    return lines.flatMap((line) => this.#take(line) ?? [])
  }

  #take(line: string): StreamEvent | undefined {
    if (line === '') {
      const data = this.#data.join('\n')
      const isEvent = this.#data.length > 0
      this.#data = []
      return isEvent ? { id: this.#id, data } : undefined
    }
    const [, field, value = ''] = /^([^:]*)(?::[ ]?(.*))?$/.exec(line) ?? []
    if (field === 'data') this.#data.push(value)
    else if (field === 'id') this.#id = value
    return undefined
  }
}
