/** SHA-256 over names and content of what the netlink addon is made of. */
export function sourcesHash(): string
