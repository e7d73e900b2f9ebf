/**
 * Configuration: an INI file that people edit, checked before anything is done with it. What is
 * wrong is told all at once, each problem with its file, line, section, key, value, and what would be right.
 *
 * The schemas are valibot's: it loads in a sixth to a ninth of zod's time, which counts on a Pi.
 *
 * @since 0.4.0
 */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { closest, distance } from 'fastest-levenshtein'
import * as v from 'valibot'
import {
  type ConfigLines,
  DEFAULT_SECTION,
  type Note,
  readConfigLines,
  readValue,
  type Section,
} from './config-lines.ts'
import { kindOf, WITHOUT_WAITING } from './file-kind.ts'
import { OperationalError } from './lifecycle.ts'
import { showInvisible } from './log-text.ts'
import type { Logger } from './logging.ts'
import { programFolder } from './program-folder.ts'

/**
 * The name of a configuration file, in the program's own folder.
 *
 * @internal
 */
export const FILE_NAME = 'rpicluster.cfg'

/**
 * How many letters may differ between an unknown name and the known one that was probably meant.
 *
 * @internal
 */
export const TYPO_DISTANCE = 3

/** The largest file that is read, in bytes: a hundred times what a person would write. */
const MAX_FILE_BYTES = 1024 * 1024

/** How many lines of one file are named in problems, and how many in warnings. A file that is no configuration has thousands. */
const NAMED_LINES = 10

/**
 * How long somebody may take to write the whole of a configuration into a pipe, in ms. Nothing else happens
 * meanwhile, Ctrl-C included, which has to be answered within a second.
 */
const PIPE_PATIENCE_MS = 900

/** How often to look whether more has come, in ms. */
const PIPE_LOOK_MS = 10

/** A key that takes a TCP port: a whole number from 1 to 65535. */
export const port = wholeNumber(1, 65_535)

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

/** A key that takes any text, and none as well. */
export const anyText = v.string()

/** A key that takes a whole number. */
export function wholeNumber(from: number, to: number) {
  const what = `a whole number from ${from} to ${to}`
  return v.pipe(
    v.string(),
    v.regex(new RegExp(`^\\d{1,${String(to).length}}$`), what),
    v.transform(Number),
    v.minValue(from, what),
    v.maxValue(to, what),
  )
}

/** A key that takes what another one takes, or is empty, and reads as undefined then. */
export function orNothing<Output>(schema: v.GenericSchema<string, Output>) {
  const what = `${whatIsRight(schema)}, or nothing at all`
  return v.pipe(
    v.string(),
    v.check((text) => text === '' || v.is(schema, text), what),
    v.transform((text): Output | undefined => (text === '' ? undefined : v.parse(schema, text))),
  )
}

/** What a program reads: the name of its section, and its keys, as they stand in the file, each with the schema of its value. */
export interface ConfigShape<Keys extends Record<string, v.GenericSchema<string, unknown>>> {
  section: string
  keys: Keys
  /** What stands for keys that are not in the file, as it would stand there: for those that files of before lack. */
  defaults?: Readonly<Partial<Record<keyof Keys, string>>>
}

/**
 * `socket_port` in the file is `socketPort` in the program.
 *
 * @internal
 */
export type CamelCase<Key extends string> = Key extends `${infer Head}_${infer Tail}`
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
 * The file is taken as Python's `configparser` takes it: a key's value comes after `=` or `:`, a section
 * `[DEFAULT]` holds for all others, `%(name)s` is the value of another key, keys may be written in capitals.
 * A key or a section that stands there twice is a warning, and the last value is used. So is what is read
 * otherwise than Python would: a comment behind a value, or quotes around it. And so is a key that
 * the shape does not know, since chapters may share one file.
 *
 * @param log where warnings go
 * @throws OperationalError with one problem for each thing that is wrong with the command line, the
 *   file, its lines, the section or its values. The file may have 1 MiB, and may be a pipe, as in
 *   `--config <(...)`, if all of it comes within 0.9 s.
 */
export function loadConfig<Keys extends Record<string, v.GenericSchema<string, unknown>>>(
  shape: ConfigShape<Keys>,
  log: Logger,
): Config<Keys> {
  return configFrom(configFile(), shape, log)
}

/**
 * A configuration file that was read.
 *
 * @internal
 */
export interface ConfigFile {
  path: string
  lines: ConfigLines
}

/**
 * The configuration file of this program.
 *
 * @internal
 * @throws OperationalError when it cannot be read
 */
export function configFile(): ConfigFile {
  const path = configPath()
  return { path, lines: readConfigLines(readText(path)) }
}

/**
 * What a program reads of a file.
 *
 * @internal
 * @throws OperationalError with one problem for each thing that is wrong with it
 */
export function configFrom<Keys extends Record<string, v.GenericSchema<string, unknown>>>(
  { path, lines: file }: ConfigFile,
  shape: ConfigShape<Keys>,
  log: Logger,
): Config<Keys> {
  const section = sectionOf(path, shape.section, file)

  const problems = [...notes(path, file.problems), ...keysWithoutValue(path, shape, file)]
  const warnings = [...notes(path, file.warnings), ...unknownKeys(path, shape, section)]
  const config: Record<string, unknown> = {}
  for (const [key, schema] of Object.entries(shape.keys)) {
    const entry = section.get(key.toLowerCase())
    const standIn = shape.defaults?.[key]
    if (!entry && standIn !== undefined) {
      config[camelCase(key)] = v.parse(schema, standIn)
      continue
    }
    if (!entry) {
      problems.push(`${path} [${shape.section}] ${key} is missing. It takes ${whatIsRight(schema)}.`)
      continue
    }
    const { text, ...said } = readValue(entry, section)
    const result = v.safeParse(schema, text)
    if (result.success) config[camelCase(key)] = result.output
    else if (said.problems.length === 0 && entry.value !== undefined) {
      const where = `${path}:${entry.line} [${entry.section}] ${key}`
      problems.push(`${where} is "${showInvisible(text)}". It takes ${result.issues[0].message}.`)
    }
    problems.push(...notes(path, said.problems))
    warnings.push(...notes(path, said.warnings))
  }
  for (const warning of warnings) log.warn(warning)
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

/** The keys of one section, and those that hold for all. */
function sectionOf(path: string, name: string, { sections, problems }: ConfigLines): Section {
  const section = sections.get(name)
  if (section) return new Map([...(sections.get(DEFAULT_SECTION) ?? []), ...section])
  // It may be there, in one of the lines that cannot be read.
  if (problems.length > 0) throw new OperationalError(notes(path, problems))
  throw new OperationalError(`${path} has no section [${name}]. ${whatThereIs(name, [...sections.keys()])}`)
}

/** A key alone on its line is wrong in any section, as it is to Python. */
function keysWithoutValue<Keys extends Record<string, v.GenericSchema<string, unknown>>>(
  path: string,
  shape: ConfigShape<Keys>,
  { sections }: ConfigLines,
): string[] {
  const found = [...sections.values()].flatMap((section) => [...section.values()])
  const without = found.filter(({ value }) => value === undefined)
  return notes(
    path,
    without.map(({ section, key, line }) => {
      const schema = section === shape.section ? schemaOf(shape, key) : undefined
      const what = schema ? ` It takes ${whatIsRight(schema)}.` : ''
      const name = showInvisible(key)
      return {
        line,
        text: `[${showInvisible(section)}] ${name} has no value.${what} Write "${name} = " and the value.`,
      }
    }),
  )
}

/** Keys of the program's own section that it knows nothing of. */
function unknownKeys<Keys extends Record<string, v.GenericSchema<string, unknown>>>(
  path: string,
  shape: ConfigShape<Keys>,
  section: Section,
): string[] {
  const unknown = [...section.values()].filter(
    (entry) => entry.section === shape.section && !schemaOf(shape, entry.key),
  )
  return notes(
    path,
    unknown.map(({ line, key }) => {
      const what = `[${shape.section}] ${showInvisible(key)} is not known here, and is ignored.`
      return { line, text: `${what}${didYouMean(key, Object.keys(shape.keys))}` }
    }),
  )
}

/** What a key takes, whether it is written in capitals or not. */
function schemaOf<Keys extends Record<string, v.GenericSchema<string, unknown>>>(
  { keys }: ConfigShape<Keys>,
  key: string,
): v.GenericSchema<string, unknown> | undefined {
  return Object.entries(keys).find(([known]) => known.toLowerCase() === key.toLowerCase())?.[1]
}

/**
 * Notes about lines as texts; of very many the first ones, and the number of the others.
 *
 * @internal
 */
export function notes(path: string, all: readonly Note[]): string[] {
  const texts = all.slice(0, NAMED_LINES).map(({ line, text }) => `${path}:${line} ${text}`)
  const others = all.length - texts.length
  if (others > 0) texts.push(`${path} has ${others} more of such lines. Is it a configuration file?`)
  return texts
}

/**
 * The text of a file, or of a pipe.
 *
 * @internal
 * @throws OperationalError when it cannot be read
 */
export function readText(path: string): string {
  const bytes = readBytes(path)
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw cannotRead(path, 'it is UTF-16 text. Save it as UTF-8, or name')
  }
  return bytes.toString('utf8')
}

function readBytes(path: string): Buffer {
  let descriptor: number | undefined
  try {
    const kind = kindOf(statSync(path))
    // Before it is opened: that alone is a signal to some devices, and waits for others.
    if (kind === 'a folder' || kind === 'a socket' || kind === 'a device')
      throw cannotRead(path, `it is ${kind}. Name`)
    descriptor = openSync(path, constants.O_RDONLY | WITHOUT_WAITING)
    return readToEnd(path, descriptor)
  } catch (error) {
    if (error instanceof OperationalError) throw error
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new OperationalError(
        `There is no configuration file ${path}. Create it, or name another with --config FILE.`,
      )
    }
    throw cannotRead(path, `${error instanceof Error ? error.message : String(error)}. Name`, error)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

function cannotRead(path: string, why: string, cause?: unknown): OperationalError {
  return new OperationalError(
    `Cannot read the configuration file ${path}: ${why} another with --config FILE.`,
    {
      cause,
    },
  )
}

/** Reads to the end; of a pipe, what somebody writes into it now. */
function readToEnd(path: string, descriptor: number): Buffer {
  const isPipe = fstatSync(descriptor).isFIFO()
  const began = performance.now()
  const pieces: Buffer[] = []
  let length = 0
  for (;;) {
    const piece = readPiece(descriptor)
    if (piece?.length === 0) break
    if (piece) pieces.push(piece)
    else pause(PIPE_LOOK_MS)
    length += piece?.length ?? 0
    if (length > MAX_FILE_BYTES) throw cannotRead(path, 'it is larger than 1 MiB. Name')
    if (isPipe && performance.now() - began > PIPE_PATIENCE_MS) {
      throw cannotRead(path, `it is a pipe whose end did not come within ${PIPE_PATIENCE_MS} ms. Name`)
    }
  }
  if (isPipe && length === 0) throw cannotRead(path, 'it is a pipe that nobody writes to. Name')
  return Buffer.concat(pieces)
}

/** What is there: nothing at the end, and undefined where somebody has a pipe open and has not written yet. */
function readPiece(descriptor: number): Buffer | undefined {
  const piece = Buffer.alloc(16 * 1024)
  try {
    return piece.subarray(0, readSync(descriptor, piece))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined
    throw error
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
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

/**
 * The name of a key in the program.
 *
 * @internal
 */
export function camelCase(key: string): string {
  return key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}
