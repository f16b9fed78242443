import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Why there is no C program to measure with; of a machine that has a compiler there always is. */
export class NoCompiler extends Error {
  override readonly name = 'NoCompiler'
}

/**
 * Compiles a C program of this folder.
 * @param folder where the program goes
 * @returns its path
 * @throws {NoCompiler} with what the compiler says, or that there is none
 */
export function compile(name: string, folder: string): string {
  const program = join(folder, name)
  const source = join(import.meta.dirname, `${name}.c`)
  try {
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', program, source], { stdio: ['ignore', 'ignore', 'pipe'] })
    return program
  } catch (error) {
    throw new NoCompiler(`cc does not make ${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
