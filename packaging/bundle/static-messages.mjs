import protobuf from 'protobufjs'

/** As etcd3 has its messages read (its lib/connection-pool.js). */
const OPTIONS = '{ longs: String, enums: String, defaults: true, oneofs: true }'

/** What src/etcd calls of etcd: services, and their methods. Others are not there in a bundle. */
const SERVICES = { KV: /^(Range|Txn)$/, Watch: /^/, Lease: /^/, Auth: /^Authenticate$/ }

/**
 * The services of a .proto file, as @grpc/proto-loader defines them, as the source of a module. protobufjs makes functions of text when
 * a message is first used; here their text is written out, and the two libraries need not be there.
 * @param path of the .proto file
 */
export function serviceDefinitions(path) {
  const root = new protobuf.Root().loadSync(path, { keepCase: true })
  root.resolveAll()
  const services = all(root, protobuf.Service).filter(({ name }) => Object.hasOwn(SERVICES, name))
  const messages = reachable(services.flatMap((service) => methodsOf(service).flatMap(typesOf)))
  const nameOf = new Map([...messages].map((type, at) => [type, `M${at}`]))
  return [
    `const { Reader, Writer, util } = require('protobufjs/minimal')`,
    // Declared before they are defined: messages hold each other.
    `const ${[...nameOf.values()].map((name) => `${name} = {}`).join(', ')}`,
    ...[...nameOf].map(([type, name]) => messageSource(name, type, nameOf)),
    `const serializer = (type) => (value) => type.encode(type.fromObject(value)).finish()`,
    `const deserializer = (type) => (bytes) => type.toObject(type.decode(bytes), ${OPTIONS})`,
    `module.exports = {\n${services.map((service) => serviceSource(service, nameOf)).join(',\n')}\n}`,
  ].join('\n')
}

function all(namespace, kind) {
  return (namespace.nestedArray ?? []).flatMap((each) => (each instanceof kind ? [each] : all(each, kind)))
}

const methodsOf = ({ name, methodsArray }) => methodsArray.filter((method) => SERVICES[name].test(method.name))

const typesOf = ({ resolvedRequestType, resolvedResponseType }) => [resolvedRequestType, resolvedResponseType]

/** Message types that are used by these, and these. */
function reachable(types, seen = new Set()) {
  for (const type of types) {
    if (seen.has(type)) continue
    seen.add(type)
    reachable(fieldTypes(type).filter(isMessage), seen)
  }
  return seen
}

const isMessage = (type) => type instanceof protobuf.Type
/** Of each field: undefined for a plain one. */
const fieldTypes = ({ fieldsArray }) => fieldsArray.map((field) => field.resolve().resolvedType)

/** What Type.setup of protobufjs makes, with `this` and `types` as the generated functions know them. */
function messageSource(name, type, nameOf) {
  const types = fieldTypes(type).map((field) => (isMessage(field) ? nameOf.get(field) : enumSource(field)))
  const { encoder, decoder, converter } = protobuf
  return `{
const types = [${types.join(', ')}]
Object.assign(${name}, {
ctor: ${protobuf.Type.generateConstructor(type)},
encode: ${encoder(type)},
decode: ${decoder(type)},
fromObject: ${converter.fromObject(type)},
toObject: ${converter.toObject(type)},
})
}`
}

/** Numbers by name, and names by number in the prototype, where toObject looks for them. */
const enumSource = (type) => {
  if (type === null) return 'null'
  const [values, valuesById] = [type.values, type.valuesById].map((table) => JSON.stringify(table))
  return `{ values: Object.assign(Object.create(${valuesById}), ${values}), valuesById: ${valuesById} }`
}

function serviceSource(service, nameOf) {
  const name = service.fullName.slice(1)
  const methods = methodsOf(service).map((method) => {
    const [request, response] = typesOf(method).map((type) => nameOf.get(type))
    const definition = [
      `path: '/${name}/${method.name}'`,
      `requestStream: ${method.requestStream === true}`,
      `responseStream: ${method.responseStream === true}`,
      `requestSerialize: serializer(${request})`,
      `responseDeserialize: deserializer(${response})`,
      `originalName: '${method.name[0].toLowerCase()}${method.name.slice(1)}'`,
    ]
    return `${method.name}: { ${definition.join(', ')} }`
  })
  return `'${name}': {\n${methods.join(',\n')}\n}`
}
