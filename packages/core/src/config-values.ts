/**
 * What a value of a configuration can be: a port, a host, a list, a secret. Each is a schema of valibot that takes the
 * value as JSON has it, says in words what it takes, and has nothing in it that a JSON Schema cannot say. What comes as
 * text, from an INI file or the environment, is first made what JSON would have there.
 *
 * @since 0.20.0
 */
import * as v from 'valibot'

const V4 = '(?:(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)\\.){3}(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const V6_GROUP = '[\\dA-Fa-f]{1,4}'
/** As Node's `isIP` takes them, with a zone such as `%eth0`. */
const V6 = `(?:${[
  `(?:${V6_GROUP}:){7}(?:${V6_GROUP}|:)`,
  `(?:${V6_GROUP}:){6}(?:${V4}|:${V6_GROUP}|:)`,
  ...[5, 4, 3, 2, 1].map(
    (count) =>
      `(?:${V6_GROUP}:){${count}}(?:(?::${V6_GROUP}){0,${5 - count}}:${V4}|(?::${V6_GROUP}){1,${7 - count}}|:)`,
  ),
  `:(?:(?::${V6_GROUP}){0,5}:${V4}|(?::${V6_GROUP}){1,7}|:)`,
].join('|')})(?:%[\\dA-Za-z.:-]+)?`
const LABEL = '[A-Za-z\\d](?:[\\w-]*[A-Za-z\\d])?'
const NAME = `(?=.{1,253}$)(?!.*\\.\\d+$)${LABEL}(?:\\.${LABEL})*`

/** What a program says of a value besides its schema. */
interface Said {
  /** What it takes, in words that follow "It takes". */
  takes?: string
  isSecret?: boolean
}

/** A TCP port: a whole number from 1 to 65535. */
export const port = wholeNumber(1, 65_535)

/** The name or the address of a machine: `127.0.0.1`, `raspberrypi.local`. */
export const host = v.pipe(
  v.string(),
  v.regex(new RegExp(`^(?:${V4}|${V6}|${NAME})$`)),
  v.metadata({ takes: 'a host name or an IP address, such as 127.0.0.1' }),
)

/** The address to listen on. `""` means every IPv4 interface, and reads as `0.0.0.0`. */
export const bindAddress = v.pipe(
  v.string(),
  v.regex(new RegExp(`^(?:${V4}|${V6}|)$`)),
  v.metadata({ takes: 'an IP address of this machine, or nothing at all ("") for every interface' }),
  v.transform((address) => address || '0.0.0.0'),
)

/** Any text, and none as well. */
export const text = v.pipe(v.string(), v.metadata({ takes: 'any text' }))

/** `true` or `false`. As text it may be yes or no, on or off, too, as in Python's `configparser`. */
export const trueOrFalse = v.pipe(v.boolean(), v.metadata({ takes: 'true or false' }))

/** A whole number within limits, which count as well. */
export function wholeNumber(from: number, to: number) {
  return v.pipe(
    v.number(),
    v.integer(),
    v.minValue(from),
    v.maxValue(to),
    v.metadata({ takes: `a whole number from ${from} to ${to}` }),
  )
}

/** One of a few texts. */
export function oneOf<const Texts extends readonly [string, ...string[]]>(...texts: Texts) {
  return v.pipe(v.picklist(texts), v.metadata({ takes: texts.map((each) => `"${each}"`).join(' or ') }))
}

/** What another schema takes, or nothing: `null` in JSON, and no text where values are texts. It reads as undefined then. */
export function orNothing<const Schema extends v.GenericSchema>(schema: Schema) {
  return v.pipe(
    v.nullable(schema),
    v.metadata({ takes: `${takenBy(schema)}, or nothing at all (null)`, isSecret: isSecret(schema) }),
    v.transform((value): v.InferOutput<Schema> | undefined => value ?? undefined),
  )
}

/** Many values, each of which another schema takes. As text they stand in one line, separated by commas. */
export function listOf<const Schema extends v.GenericSchema>(schema: Schema) {
  return v.pipe(
    v.array(schema),
    v.metadata({ takes: `a list, and for each of it ${takenBy(schema)}`, isSecret: isSecret(schema) }),
  )
}

/** What another schema takes, and what nobody may see: no log, no error and no `--print-config` shows it. */
export function secret<const Schema extends v.GenericSchema>(schema: Schema) {
  return v.pipe(schema, v.metadata({ isSecret: true }))
}

/**
 * Whether a value is a secret.
 *
 * @internal
 */
export function isSecret(schema: v.GenericSchema): boolean {
  return said(schema).isSecret === true
}

/**
 * What a schema takes, in words that follow "It takes".
 *
 * @internal
 */
export function takenBy(schema: v.GenericSchema): string {
  return said(schema).takes ?? schema.expects
}

/**
 * What JSON would have for a text: 12345 for `12345` where a number belongs. What does not fit stays as it is, and is told
 * as what was found.
 *
 * @internal
 */
export function fromText(schema: v.GenericSchema, text: string): unknown {
  const { type, wrapped, item } = schema as v.GenericSchema & {
    wrapped?: v.GenericSchema
    item?: v.GenericSchema
  }
  if (wrapped) return text === '' ? null : fromText(wrapped, text)
  if (item) return text === '' ? [] : text.split(',').map((each) => fromText(item, each.trim()))
  if (type === 'number' && /^-?\d+(?:\.\d+)?$/.test(text)) return Number(text)
  if (type === 'boolean' && /^(?:true|yes|on|1)$/i.test(text)) return true
  if (type === 'boolean' && /^(?:false|no|off|0)$/i.test(text)) return false
  return text
}

/**
 * The schemas of what is in a list or an object.
 *
 * @internal
 */
export interface Parts {
  /** Of each item of a list. */
  item?: v.GenericSchema
  /** Of an object whose keys are known, by these. */
  entries?: Readonly<Record<string, v.GenericSchema>>
  /** Of each key of another object, and of what that has. */
  key?: v.GenericSchema
  value?: v.GenericSchema
}

/**
 * What a schema has for what is in a list or an object. Of any other value there is nothing.
 *
 * @internal
 */
export function partsOf(schema: v.GenericSchema): Parts {
  const { type, wrapped, item, entries, key, value } = schema as v.GenericSchema &
    Parts & { wrapped?: v.GenericSchema }
  if (wrapped) return partsOf(wrapped)
  if (type === 'record') return { ...(key && { key }), ...(value && { value }) }
  return { ...(item && { item }), ...(entries && { entries }) }
}

function said(schema: v.GenericSchema): Said {
  return v.getMetadata(schema) as Said
}
