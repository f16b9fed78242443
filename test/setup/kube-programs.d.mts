/** Path of a program that `node test/setup/kube-programs.mjs` builds. */
export function kubeProgram(name: 'kube-apiserver' | 'chart'): string
/** A file that is locked while they are built. */
export function kubeLock(): string
