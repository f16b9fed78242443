// Puts the parts of the program together (parts.mjs): runs the first, which asks for the others when it needs them.
'use strict'
const { Script } = require('node:vm')

/** A part, and what is in it; `node:` is Node's own. */
const FROM = /^(?!node:)([a-z]+):/

/**
 * @param compile makes a vm.Script of a part by its name
 * @param native Node's own require, for its modules
 * @param folder what the program takes for its folder
 */
exports.runParts = function runParts(compile, native, folder) {
  const tables = new Map()
  function table(part) {
    const known = tables.get(part)
    if (known !== undefined) return known
    const module = { exports: {} }
    tables.set(part, module)
    compile(part).runInThisContext()(require, folder, module)
    return module
  }
  function require(id) {
    const [from, part] = FROM.exec(id) ?? []
    return part === undefined ? native(id) : table(part).exports[id.slice(from.length)]()
  }
  table('first')
  return require
}

exports.compilePart = (part, source, cachedData) =>
  new Script(source, { filename: `flanneld-${part}.cjs`, ...(cachedData.length > 0 && { cachedData }) })
