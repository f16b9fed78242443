/** A row that a peer wants. */
export interface ShownRow {
  readonly table: 'neighbour' | 'fdb' | 'route'
  /** As `ip` and `bridge` take it after `replace`, but for the link. */
  readonly row: string
  /** Whether it is there as it should be, as far as the kernel has told. */
  readonly isInKernel: boolean
}
