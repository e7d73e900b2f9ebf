/**
 * Configuration: an INI file that people edit, checked before anything is done with it. What is
 * wrong is told all at once, each problem with its file, section, key, value, and what would be right.
 *
 * The schemas are valibot's: it loads in a sixth to a ninth of zod's time, which counts on a Pi.
 *
 * @since 0.4.0
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { closest, distance } from 'fastest-levenshtein'
import { parse } from 'ini'
import * as v from 'valibot'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { programFolder } from './program-folder.ts'

/** The name of a configuration file, in the program's own folder. */
const FILE_NAME = 'rpicluster.cfg'

/** How many letters may differ between an unknown name and the known one that was probably meant. */
const TYPO_DISTANCE = 3

/** A key that takes a TCP port: a whole number from 1 to 65535. */
export const port = v.pipe(
  v.string(),
  v.regex(/^\d{1,5}$/, 'a whole number from 1 to 65535'),
  v.transform(Number),
  v.minValue(1, 'a whole number from 1 to 65535'),
  v.maxValue(65_535, 'a whole number from 1 to 65535'),
)

/** A key that takes the name or the address of a machine: `127.0.0.1`, `raspberrypi.local`. */
export const host = v.pipe(v.string(), v.check(isHost, 'a host name or an IP address, such as 127.0.0.1'))

/** A key that takes the address to listen on. Empty means every IPv4 interface, and reads as `0.0.0.0`. */
export const bindAddress = v.pipe(
  v.string(),
  v.check(
    (text) => text === '' || isIP(text) !== 0,
    'an IP address of this machine, or nothing at all for every interface',
  ),
  v.transform((text) => text || '0.0.0.0'),
)

/** What a program reads: the name of its section, and its keys, as they stand in the file, each with the schema of its value. */
export interface ConfigShape<Keys extends Record<string, v.GenericSchema<string, unknown>>> {
  section: string
  keys: Keys
}

/** `socket_port` in the file is `socketPort` in the program. */
type CamelCase<Key extends string> = Key extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Key

/** The values of a shape's keys. */
export type Config<Keys extends Record<string, v.GenericSchema<string, unknown>>> = {
  [Key in keyof Keys & string as CamelCase<Key>]: v.InferOutput<Keys[Key]>
}

/**
 * Reads a program's section of its configuration file: the one given by `--config FILE`, counted
 * from the folder where the reader typed, or else `rpicluster.cfg` in {@link programFolder}.
 *
 * A key that the shape does not know is a warning, since chapters may share one file.
 *
 * @param log where warnings go
 * @throws OperationalError with one problem for each thing that is wrong with the command line, the
 *   file, the section or its values
 */
export function loadConfig<Keys extends Record<string, v.GenericSchema<string, unknown>>>(
  shape: ConfigShape<Keys>,
  log: Logger,
): Config<Keys> {
  const path = configPath()
  const section = sectionOf(path, shape.section)

  const problems: string[] = []
  const config: Record<string, unknown> = {}
  for (const [key, schema] of Object.entries(shape.keys)) {
    const where = `${path} [${shape.section}] ${key}`
    const found = section.get(key)
    if (found === undefined) {
      problems.push(`${where} is missing. It takes ${whatIsRight(schema)}.`)
      continue
    }
    const result = v.safeParse(schema, found)
    if (result.success) config[camelCase(key)] = result.output
    else problems.push(`${where} is "${found}". It takes ${result.issues[0].message}.`)
  }
  for (const key of section.keys()) {
    if (Object.hasOwn(shape.keys, key)) continue
    log.warn(
      `${path} [${shape.section}] ${key} is not known here, and is ignored.${didYouMean(key, Object.keys(shape.keys))}`,
    )
  }
  if (problems.length > 0) throw new OperationalError(problems)
  return config as Config<Keys>
}

function configPath(): string {
  const given = commandLine()
  if (given === undefined) return join(programFolder(), FILE_NAME)
  // pnpm and npm run a script in its package's folder, and leave the reader's own in INIT_CWD.
  return resolve(process.env['INIT_CWD'] ?? process.cwd(), given)
}

function commandLine(): string | undefined {
  try {
    return parseArgs({ options: { config: { type: 'string' } } }).values.config
  } catch (error) {
    const what = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error)
    throw new OperationalError(`${what}. This program takes --config FILE, or nothing.`, { cause: error })
  }
}

/** The keys and values of one section, all values as the text in the file. */
function sectionOf(path: string, name: string): Map<string, string> {
  const sections = Object.entries(parse(readText(path))).filter(
    ([, content]) => typeof content === 'object' && content !== null,
  )
  const section = sections.find(([key]) => key === name)?.[1]
  if (!section) {
    throw new OperationalError(
      `${path} has no section [${name}]. ${whatThereIs(
        name,
        sections.map(([key]) => key),
      )}`,
    )
  }
  // ini makes booleans of true and false, and of a key without "=", and lists of "key[]".
  return new Map(
    Object.entries(section as Record<string, unknown>).map(([key, value]) => [key, String(value)]),
  )
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') {
      throw new OperationalError(
        `There is no configuration file ${path}. Create it, or name another with --config FILE.`,
      )
    }
    const why = code === 'EISDIR' ? 'it is a folder' : error instanceof Error ? error.message : String(error)
    throw new OperationalError(
      `Cannot read the configuration file ${path}: ${why}. Name another with --config FILE.`,
      { cause: error },
    )
  }
}

function whatIsRight(schema: v.GenericSchema<string, unknown>): string {
  // Every schema says what it takes as the message of its refusal, and refuses a lone space.
  const refusal = v.safeParse(schema, ' ')
  return refusal.success ? 'any text' : refusal.issues[0].message
}

function isHost(text: string): boolean {
  return (
    isIP(text) !== 0 ||
    /^(?=.{1,253}$)(?!.*\.\d+$)[a-z\d]([\w-]*[a-z\d])?(\.[a-z\d]([\w-]*[a-z\d])?)*$/i.test(text)
  )
}

function whatThereIs(wanted: string, names: readonly string[]): string {
  if (names.length === 0) return 'It has no section at all.'
  const nearest = closest(wanted, names)
  if (distance(wanted, nearest) <= TYPO_DISTANCE)
    return `It has [${nearest}]: is that [${wanted}], misspelled?`
  return `It has ${names.map((name) => `[${name}]`).join(', ')}.`
}

function didYouMean(name: string, known: readonly string[]): string {
  if (known.length === 0) return ''
  const nearest = closest(name, known)
  return distance(name, nearest) <= TYPO_DISTANCE
    ? ` Did you mean ${nearest}?`
    : ` Known here: ${known.join(', ')}.`
}

function camelCase(key: string): string {
  return key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}
