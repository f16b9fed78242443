/** Done, or asked to stop · a failure that a restart may cure · bad usage or configuration. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const
