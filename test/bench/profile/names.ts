/** What can be profiled. */
export const PROFILES = ['start', 'rest'] as const
export type ProfileName = (typeof PROFILES)[number]
