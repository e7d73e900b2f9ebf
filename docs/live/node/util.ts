/** What core takes of Node's utilities. */

interface Option {
  type: 'string' | 'boolean'
  short?: string
}

/** The options that a program was started with. `--name value`, `--name=value`, and nothing else. */
export function parseArgs({ args, options = {} }: { args?: string[]; options?: Record<string, Option> }): {
  values: Record<string, string | boolean>
  positionals: string[]
} {
  const given = [...(args ?? process.argv.slice(2))]
  const values: Record<string, string | boolean> = {}
  for (let one = given.shift(); one !== undefined; one = given.shift()) {
    const [, name = '', value] = /^--([^=]+)(?:=(.*))?$/s.exec(one) ?? []
    const option = options[name]
    if (!one.startsWith('-'))
      fail(
        'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL',
        `Unexpected argument '${one}'. This command does not take positional arguments`,
      )
    if (!option) fail('ERR_PARSE_ARGS_UNKNOWN_OPTION', `Unknown option '${one.split('=')[0]}'`)
    if (option.type === 'boolean') values[name] = true
    else {
      const text = value ?? given.shift()
      if (text === undefined)
        fail('ERR_PARSE_ARGS_INVALID_OPTION_VALUE', `Option '--${name} <value>' argument missing`)
      values[name] = text
    }
  }
  return { values, positionals: [] }
}

function fail(code: string, message: string): never {
  throw Object.assign(new TypeError(message), { code })
}

/** What a function with a callback gives, as a promise. */
export function promisify<Value>(run: (...given: unknown[]) => void) {
  return (...given: unknown[]) =>
    new Promise<Value>((resolve, reject) => {
      run(...given, (error: unknown, value: Value) => (error ? reject(error) : resolve(value)))
    })
}

export function isDeepStrictEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return false
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>]
  const keys = Object.keys(x)
  return (
    keys.length === Object.keys(y).length &&
    keys.every((key) => Object.hasOwn(y, key) && isDeepStrictEqual(x[key], y[key]))
  )
}

export function inspect(value: unknown): string {
  if (value instanceof Error) return value.stack ?? String(value)
  if (typeof value === 'string') return `'${value}'`
  return typeof value === 'object' ? (JSON.stringify(value) ?? String(value)) : String(value)
}
inspect.custom = Symbol.for('nodejs.util.inspect.custom')

/** What console.log makes of its values: `%s` and its like, and the rest with spaces. */
export function format(first?: unknown, ...rest: unknown[]): string {
  const said = (value: unknown) => (typeof value === 'string' ? value : inspect(value))
  if (typeof first !== 'string') return [first, ...rest].map(said).join(' ')
  const text = first.replace(/%([sdifjoOc%])/g, (all, kind: string) => {
    if (kind === '%') return '%'
    return rest.length === 0
      ? all
      : kind === 'd' || kind === 'i' || kind === 'f'
        ? String(Number(rest.shift()))
        : said(rest.shift())
  })
  return [text, ...rest.map(said)].join(' ')
}

export function stripVTControlCharacters(text: string): string {
  return text.replace(new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[ -/]*[@-~]`, 'g'), '')
}

export const deprecate = <Function>(run: Function) => run
export const inherits = (child: { prototype: object }, parent: { prototype: object }) =>
  Object.setPrototypeOf(child.prototype, parent.prototype)
export const debuglog = () => () => {}
export const types = {
  isNativeError: (value: unknown) => value instanceof Error,
  isPromise: (value: unknown) => value instanceof Promise,
  isProxy: () => false,
  isDate: (value: unknown) => value instanceof Date,
}
export const { TextDecoder, TextEncoder } = globalThis
export default {
  parseArgs,
  promisify,
  isDeepStrictEqual,
  inspect,
  format,
  stripVTControlCharacters,
  deprecate,
  inherits,
  debuglog,
  types,
  TextDecoder,
  TextEncoder,
}
