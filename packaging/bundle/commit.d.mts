/** The commit that the sources below `root` are, `…-dirty`, or `unknown`. */
export function sourceCommit(root: string): string
