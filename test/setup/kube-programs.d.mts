/** Path of a program that `node test/setup/kube-programs.mjs` builds. */
export function kubeProgram(name: 'kube-apiserver' | 'chart'): string
/** A file that says why they could not be built. */
export function kubeProblem(): string
