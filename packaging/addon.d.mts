/** SHA-256 over names and content of what the netlink addon is made of. */
export function sourcesHash(): string

/** Compiles the addon into a file. @returns why that cannot be done; undefined when it was */
export function compileTo(output: string, cc?: string): string | undefined

/** Why the prebuilt addon in a folder is not to be packed; undefined when it is. */
export function recordFault(directory: string): string | undefined
