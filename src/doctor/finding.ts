/** Something that is wrong with this host, its peers or its store: why, how that is known, and what cures it. */
export interface Finding {
  /** Which of the causes that are known, such as `udp-port-dropped-here`: stable, for scripts; each has a row in docs/doctor.md. */
  readonly cause: string
  /** Whether packets are lost because of it now, or it only will, or may, do harm. */
  readonly severity: 'broken' | 'risk'
  /** One sentence that names the object: `nftables' table inet filter drops UDP port 8472 that comes in by eth0`. */
  readonly summary: string
  /** What was seen, one thing each, in the words of the tool that shows it. */
  readonly evidence: readonly string[]
  /** Commands, or a sentence where no command can do it; each on its own host where that is not this one. */
  readonly cure: readonly string[]
  /** What `--fix` runs, as arguments of programs; only what is safe to do unasked, and takes nothing away from others. */
  readonly fix?: readonly (readonly string[])[]
  /** Name of the peer that it is about. */
  readonly peer?: string
  /** Names of the conditions that it explains, so that they are not told twice. */
  readonly explains?: readonly string[]
  /**
   * What it explains of peers that do not answer: that of its own ({@link peer}, the default where it has one), of all, or none (the default
   * where it has no peer). See {@link isInferred}.
   */
  readonly covers?: 'peer' | 'all peers' | 'none'
  /** Causes that only follow from it, and whose cures would do harm: where this one is broken, they are not told. */
  readonly leadsTo?: readonly string[]
  /**
   * It follows only from what is seen of a peer from afar, and gives way to any finding that is not inferred and covers that peer: a rule
   * on this host that drops every packet explains a peer's silence better than one that is supposed there.
   */
  readonly isInferred?: true
  /** It is what is left to suppose where nothing else is known, and gives way to whatever covers that peer, be that inferred as well. */
  readonly isLastResort?: true
}

/**
 * One thing that doctor looks into. Checks run side by side; each has a deadline, and one that fails is told as not looked into.
 * @typeParam View what it is handed: see view.ts
 */
export interface Check<View> {
  /** What is looked into, in words, for the progress line. */
  readonly name: string
  look(view: View, signal: AbortSignal): Promise<readonly Finding[]>
}
