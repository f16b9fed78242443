export function programInParts(): Promise<Readonly<Record<string, string>>>
export const WITHOUT_CACHE: readonly string[]
