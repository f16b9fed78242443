/** What can be profiled. */
export const PROFILES = ['start', 'turns', 'rest'] as const
export type ProfileName = (typeof PROFILES)[number]
