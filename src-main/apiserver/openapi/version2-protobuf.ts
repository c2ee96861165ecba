/**
 * The OpenAPI v2 document in the protobuf form of gnostic's openapiv2 schema, which Go clients ask for (`kubectl apply` of
 * a List checks it with this document alone). Writing only, and only the messages that our document has. Pure.
 */

/** The type of the answer. */
export const protobufVersion2Type = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'
/** Types asked for: Go's clients ask by the older one, whose at sign they would not take in an answer. */
export const protobufVersion2Types: readonly string[] = ['application/com.github.proto-openapi.spec.v2@v1.0+protobuf', protobufVersion2Type]

type Plain = Readonly<Record<string, unknown>>
/** Bytes of a message, in the order in which they are written. */
type Message = Buffer[]

const lengthDelimited = 2
const doubleType = 1

/** `document` is the JSON form: what a JSON client gets. */
export function encodeVersion2(document: Plain): Uint8Array {
  const out: Message = []
  text(out, 1, document['swagger'])
  const info = plain(document['info'])
  message(out, 2, message2 => {
    text(message2, 1, info['title'])
    text(message2, 2, info['version'])
  })
  message(out, 8, paths => {
    for (const [name, item] of entries(document['paths']))
      named(paths, 2, name, value => {
        writePath(value, item)
      })
  })
  message(out, 9, definitions => {
    for (const [name, item] of entries(document['definitions']))
      named(definitions, 1, name, value => {
        writeSchema(value, item)
      })
  })
  return Buffer.concat(out)
}

const methodNumbers: Readonly<Record<string, number>> = { get: 2, put: 3, post: 4, delete: 5, options: 6, head: 7, patch: 8 }

function writePath(out: Message, item: Plain): void {
  for (const [method, number] of Object.entries(methodNumbers))
    if (item[method] !== undefined)
      message(out, number, operation => {
        writeOperation(operation, plain(item[method]))
      })
  for (const parameter of list(item['parameters']))
    message(out, 9, one => {
      writeParameter(one, plain(parameter))
    })
}

function writeOperation(out: Message, operation: Plain): void {
  texts(out, 1, operation['tags'])
  text(out, 3, operation['description'])
  text(out, 5, operation['operationId'])
  texts(out, 6, operation['produces'])
  texts(out, 7, operation['consumes'])
  for (const parameter of list(operation['parameters']))
    message(out, 8, one => {
      writeParameter(one, plain(parameter))
    })
  message(out, 9, responses => {
    for (const [code, answer] of entries(operation['responses']))
      named(responses, 1, code, value => {
        message(value, 1, response => {
          writeResponse(response, answer)
        })
      })
  })
  texts(out, 10, operation['schemes'])
  writeExtensions(out, 13, operation)
}

function writeResponse(out: Message, response: Plain): void {
  text(out, 1, response['description'] ?? 'OK')
  if (response['schema'] !== undefined)
    message(out, 2, item => {
      message(item, 1, schema => {
        writeSchema(schema, plain(response['schema']))
      })
    })
}

/** ParametersItem → Parameter → body, query or path parameter. */
function writeParameter(out: Message, parameter: Plain): void {
  message(out, 1, either => {
    if (parameter['in'] === 'body') {
      message(either, 1, body => {
        text(body, 2, parameter['name'])
        text(body, 3, 'body')
        flag(body, 4, parameter['required'])
        message(body, 5, schema => {
          writeSchema(schema, plain(parameter['schema']))
        })
      })
      return
    }
    const inPath = parameter['in'] === 'path'
    message(either, 2, other => {
      message(other, inPath ? 4 : 3, value => {
        flag(value, 1, parameter['required'])
        text(value, 2, parameter['in'])
        text(value, 4, parameter['name'])
        text(value, inPath ? 5 : 6, parameter['type'])
        flag(value, inPath ? 19 : 20, parameter['uniqueItems'])
      })
    })
  })
}

const schemaTexts: Readonly<Record<string, number>> = { $ref: 1, format: 2, title: 3, description: 4, pattern: 13, discriminator: 26 }
const schemaDoubles: Readonly<Record<string, number>> = { multipleOf: 6, maximum: 7, minimum: 9 }
const schemaIntegers: Readonly<Record<string, number>> = { maxLength: 11, minLength: 12, maxItems: 14, minItems: 15, maxProperties: 17, minProperties: 18 }

function writeSchema(out: Message, schema: Plain): void {
  for (const [key, number] of Object.entries(schemaTexts)) text(out, number, schema[key])
  if (schema['default'] !== undefined) anyValue(out, 5, schema['default'])
  for (const [key, number] of Object.entries(schemaDoubles)) double(out, number, schema[key])
  for (const [key, number] of Object.entries(schemaIntegers)) integer(out, number, schema[key])
  flag(out, 16, schema['uniqueItems'])
  texts(out, 19, schema['required'])
  for (const item of list(schema['enum'])) anyValue(out, 20, item)
  const additional = schema['additionalProperties']
  if (typeof additional === 'boolean')
    message(out, 21, value => {
      flag(value, 2, additional)
    })
  else if (additional !== undefined)
    message(out, 21, value => {
      message(value, 1, inner => {
        writeSchema(inner, plain(additional))
      })
    })
  const type = schema['type']
  if (type !== undefined)
    message(out, 22, value => {
      texts(value, 1, Array.isArray(type) ? type : [type])
    })
  if (schema['items'] !== undefined)
    message(out, 23, value => {
      message(value, 1, inner => {
        writeSchema(inner, plain(schema['items']))
      })
    })
  for (const item of list(schema['allOf']))
    message(out, 24, inner => {
      writeSchema(inner, plain(item))
    })
  if (schema['properties'] !== undefined)
    message(out, 25, value => {
      for (const [name, inner] of entries(schema['properties']))
        named(value, 1, name, one => {
          writeSchema(one, inner)
        })
    })
  writeExtensions(out, 31, schema)
}

/** `x-…` members as YAML text, of which JSON is a part. */
function writeExtensions(out: Message, number: number, of: Plain): void {
  for (const [key, value] of Object.entries(of))
    if (key.startsWith('x-'))
      named(out, number, key, any => {
        text(any, 2, JSON.stringify(value))
      })
}

/* ---- values of the wire ---- */

function anyValue(out: Message, number: number, value: unknown): void {
  message(out, number, any => {
    text(any, 2, JSON.stringify(value))
  })
}

/** A message of a name (1) and a value (2). */
function named(out: Message, number: number, name: string, write: (value: Message) => void): void {
  message(out, number, pair => {
    text(pair, 1, name)
    message(pair, 2, write)
  })
}

function message(out: Message, number: number, write: (inner: Message) => void): void {
  const inner: Message = []
  write(inner)
  bytes(out, number, Buffer.concat(inner))
}

function bytes(out: Message, number: number, value: Buffer): void {
  out.push(varint(number * 8 + lengthDelimited), varint(value.length), value)
}
function text(out: Message, number: number, value: unknown): void {
  if (typeof value === 'string' && value !== '') bytes(out, number, Buffer.from(value))
}
function texts(out: Message, number: number, value: unknown): void {
  for (const item of list(value)) bytes(out, number, Buffer.from(String(item)))
}
function flag(out: Message, number: number, value: unknown): void {
  if (value === true) out.push(varint(number * 8), varint(1))
}
function integer(out: Message, number: number, value: unknown): void {
  if (typeof value === 'number' && value > 0) out.push(varint(number * 8), varint(value))
}

function double(out: Message, number: number, value: unknown): void {
  if (typeof value !== 'number') return
  const eight = Buffer.alloc(8)
  eight.writeDoubleLE(value)
  out.push(varint(number * 8 + doubleType), eight)
}

function varint(value: number): Buffer {
  const out = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) {
      out.push(rest)
      return Buffer.from(out)
    }
    out.push((rest % 128) + 128)
  }
}

function plain(value: unknown): Plain {
  return (value ?? {}) as Plain
}
function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
function entries(value: unknown): [string, Plain][] {
  return Object.entries(plain(value)) as [string, Plain][]
}
