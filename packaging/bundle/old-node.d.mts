/** The first version of Node.js that this program runs with. */
export const LEAST_NODE: readonly [major: number, minor: number]

/** What the bundle begins with. */
export const BANNER: string
