interface Segment {
  readonly type: number
  readonly flags: number
  readonly offset: number
  readonly address: number
  readonly fileSize: number
  readonly memorySize: number
  readonly align: number
}

export function readElf(bytes: Buffer): {
  readonly machine: string
  readonly entry: number
  readonly entries: readonly Segment[]
  readonly loads: readonly Segment[]
}
