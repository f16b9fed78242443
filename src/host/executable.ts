import type * as Sea from 'node:sea'

/** Node's own module about single executables: no part of every build of it. */
const sea = (): typeof Sea | undefined => process.getBuiltinModule('node:sea')

/**
 * A text that the single executable carries, under the name by which packaging/executable has put it in.
 * @returns undefined where this is not the executable, or it has none such
 */
export function textInside(name: 'licenses' | 'page.html'): string | undefined {
  try {
    return isExecutable() ? sea()?.getAsset(name, 'utf8') : undefined
  } catch {
    return undefined // there is no way to ask whether there is one
  }
}

/** Whether this process is the single executable, so that its file is all of the program. */
export const isExecutable = (): boolean => sea()?.isSea() === true
