/** Conditions that say of peers that they do not answer: whatever keeps packets from them explains those. */
export const SILENCE = ['answers of peers*', 'losses to peers*'] as const
