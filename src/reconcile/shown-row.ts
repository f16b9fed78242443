/** A row that a peer wants. */
export interface ShownRow {
  /** `forwarder`: a table of our own, of a device whose packets we carry ourselves. */
  readonly table: 'neighbour' | 'fdb' | 'route' | 'forwarder'
  /** As `ip` and `bridge` take it after `replace`, but for the link. */
  readonly row: string
  /** Whether it is there as it should be, as far as the kernel has told. */
  readonly isInKernel: boolean
}
