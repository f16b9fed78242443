import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './product.mjs'

const read = (path) => readFileSync(join(ROOT, 'packaging', path), 'utf8')

/**
 * A shell script of ours as it is shipped: each line `# include NAME` becomes packaging/shell/NAME, each `@NAME@` its value. Scripts of
 * packages have nothing to read from: when they run, their package's files may be gone or not there yet.
 * @throws {Error} for a name without a value
 */
export function assemble(path, values) {
  const whole = read(path).replace(/^# include (\S+)$/gm, (_, name) => read(join('shell', name)).trimEnd())
  return whole.replace(/@([A-Z][A-Z_]*)@/g, (_, name) => {
    if (values[name] === undefined) throw new Error(`packaging/${path}: @${name}@ has no value`)
    return String(values[name])
  })
}

/** A unit whose program lies in `folder`. */
export function unitFor(name, folder) {
  return read(join('systemd', name)).replace(/^(Exec\w+=[-+!@:]*)\S*\/flanneld\b/gm, `$1${folder}/flanneld`)
}
