/**
 * An INI file made JSON, for `--migrate`: every value under its name of now, and the notes that people wrote above it. What
 * the definition does not know goes along as text, since it may be another program's.
 *
 * @since 0.20.0
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, extname, join, relative, sep } from 'node:path'
import * as v from 'valibot'
import { JSON_FILE_NAME } from './config-command.ts'
import type { AnyDefinition, KeyShape, SectionShape } from './config-definition.ts'
import { DEFAULT_SECTION, readConfigLines, readValue } from './config-lines.ts'
import { jsonOf } from './config-printing.ts'
import { isJson, readConfigText } from './config-text.ts'
import { fromText, isSecret, takenBy } from './config-values.ts'
import { OperationalError } from './lifecycle.ts'
import { showInvisible } from './log-text.ts'

/**
 * The file that a program's folder has for editors.
 *
 * @internal
 */
export const SCHEMA_FILE_NAME = 'rpicluster.schema.json'

/**
 * What was made of an INI file.
 *
 * @internal
 */
export interface Migrated {
  /** The text of the JSON file. */
  json: string
  /** What to tell of it: names that have changed, lines that Python would take otherwise. */
  notices: string[]
  values: number
  comments: number
}

/**
 * Writes the JSON file of an INI file beside it, with the same rights. One that is there stays.
 *
 * @internal
 * @param folder the program's folder, in which its JSON Schema may lie
 * @returns lines for the reader
 * @throws OperationalError when there is one, it cannot be written, or the INI file has a mistake
 */
export function migrate(path: string, text: string, definition: AnyDefinition, folder: string): string[] {
  const target = join(dirname(path), `${basename(path, extname(path))}.json`)
  if (!statSync(path).isFile()) {
    throw new OperationalError(
      `${path} is no file, so there is nothing beside which to write JSON. Save it as a file first.`,
    )
  }
  if (isJson(path, text)) throw new OperationalError(`${path} is JSON already: there is nothing to migrate.`)
  const schema = relative(dirname(path), join(folder, SCHEMA_FILE_NAME)).split(sep).join('/')
  const migrated = migratedText(path, text, definition, schema.startsWith('.') ? schema : `./${schema}`)
  write(target, migrated.json, statSync(path).mode)
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`
  return [
    `Wrote ${target}: ${count(migrated.values, 'value')}, and ${count(migrated.comments, 'line')} of comments.`,
    ...migrated.notices,
    target === join(folder, JSON_FILE_NAME)
      ? `From now on ${JSON_FILE_NAME} is read, and ${basename(path)} is not. Delete that when nobody else needs it.`
      : `Start programs with --config ${target} from now on.`,
  ]
}

function write(path: string, text: string, mode: number): void {
  if (existsSync(path))
    throw new OperationalError(`There is a ${path} already, which is not overwritten. Move it away first.`)
  let descriptor: number | undefined
  try {
    descriptor = openSync(path, 'wx', mode)
    writeFileSync(descriptor, text)
    fsyncSync(descriptor)
    chmodSync(path, mode & 0o777)
  } catch (error) {
    if (descriptor !== undefined) rmSync(path, { force: true })
    throw new OperationalError(
      `Cannot write ${path}: ${error instanceof Error ? error.message : String(error)}.`,
      {
        cause: error,
      },
    )
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/**
 * The JSON of an INI file.
 *
 * @internal
 * @param schema where the JSON Schema is, seen from the new file
 * @throws OperationalError with one problem for each thing that is wrong with the file
 */
export function migratedText(
  path: string,
  text: string,
  definition: AnyDefinition,
  schema: string,
): Migrated {
  const secrets = secretNames(definition)
  const { problems, warnings } = readConfigText(path, text, secrets)
  if (problems.length > 0) throw new OperationalError(problems)
  const writing = new Writing(path, text, definition, warnings)
  return writing.done(schema)
}

/**
 * The names of all keys whose values nobody may see, those of before included.
 *
 * @internal
 */
export function secretNames({ sections }: AnyDefinition): string[] {
  return Object.values(sections).flatMap(({ keys }) =>
    Object.entries(keys).flatMap(([key, { schema, formerly }]) =>
      isSecret(schema) ? [key, ...(formerly === undefined ? [] : [formerly])] : [],
    ),
  )
}

/** The work of {@link migratedText}. */
class Writing {
  readonly #path: string
  readonly #definition: AnyDefinition
  readonly #notices: string[]
  readonly #problems: string[] = []
  readonly #lines: ReturnType<typeof readConfigLines>
  readonly #comments: Comments
  #values = 0

  constructor(path: string, text: string, definition: AnyDefinition, notices: readonly string[]) {
    this.#path = path
    this.#definition = definition
    this.#notices = [...notices]
    this.#lines = readConfigLines(text)
    // What holds for all sections is written in each of them, and its notes above the next.
    const own = [...this.#lines.sections].filter(([name]) => name !== DEFAULT_SECTION)
    const kept = own.flatMap(([name, entries]) => [
      this.#lines.sectionLines.get(name) ?? 1,
      ...[...entries.values()].map(({ line }) => line),
    ])
    this.#comments = new Comments(text, new Set(kept))
  }

  done(schema: string): Migrated {
    const bodies = [...this.#lines.sections.keys()]
      .filter((name) => name !== DEFAULT_SECTION)
      .map((name) => this.#sectionText(name))
    if (this.#problems.length > 0) throw new OperationalError(this.#problems)
    const last = this.#comments.last().map((comment) => `  ${comment}`.trimEnd())
    const all = [`  "$schema": ${JSON.stringify(schema)}`, ...bodies].join(',\n\n')
    const json = `{\n${all}\n${last.length > 0 ? `\n${last.join('\n')}\n` : ''}}\n`
    return { json, notices: this.#notices, values: this.#values, comments: this.#comments.count }
  }

  #sectionText(former: string): string {
    const { sections, sectionLines } = this.#lines
    const name = this.#nameOfSection(former)
    const shape = this.#definition.sections[name]
    const shared = sections.get(DEFAULT_SECTION) ?? new Map()
    const all = new Map([...shared, ...(sections.get(former) ?? [])])
    const entries = [...all.values()].filter(
      ({ section, key }) => section === former || !shape || this.#shapeOf(shape, key),
    )
    const written = new Set(entries.map(({ key }) => key.toLowerCase()))
    const pieces = entries.flatMap((entry, index) => {
      const key = this.#nameOfKey(shape, entry.key, written, name)
      this.#values += 1
      const comma = index < entries.length - 1 ? ',' : ''
      const value = this.#value(shape?.keys[key], readValue(entry, all).text, entry.line, name, key)
      const behind = this.#comments.behind(entry.value ?? '')
      const above = this.#comments.above(entry.line).map((comment) => `    ${comment}`.trimEnd())
      return [...above, `    ${JSON.stringify(key)}: ${value}${comma}${behind}`]
    })
    const above = this.#comments
      .above(sectionLines.get(former) ?? 1)
      .map((comment) => `  ${comment}`.trimEnd())
    return [
      ...withoutFirstBlank(above),
      `  ${JSON.stringify(name)}: {`,
      ...withoutFirstBlank(pieces),
      '  }',
    ].join('\n')
  }

  #nameOfSection(former: string): string {
    const { sections } = this.#lines
    const [now] =
      Object.entries(this.#definition.sections).find(
        ([name, { formerly }]) => formerly === former && !sections.has(name),
      ) ?? []
    if (now === undefined) return former
    this.#notices.push(`[${former}] is called "${now}" there.`)
    return now
  }

  /** The name of now. */
  #nameOfKey(
    shape: SectionShape | undefined,
    key: string,
    written: ReadonlySet<string>,
    section: string,
  ): string {
    if (!shape) return key
    const [known] = this.#shapeOf(shape, key) ?? []
    if (known === undefined) {
      this.#notices.push(`${section}.${showInvisible(key)} is not known here, and goes along as text.`)
      return key
    }
    if (known.toLowerCase() === key.toLowerCase()) return known
    // Somebody else's, who reads the INI file.
    if (written.has(known.toLowerCase())) return key
    this.#notices.push(`${showInvisible(key)} of ${section} is called "${known}" there.`)
    return known
  }

  #shapeOf(shape: SectionShape, name: string): [string, KeyShape] | undefined {
    return Object.entries(shape.keys).find(([key, { formerly }]) =>
      [key, formerly].some((known) => known?.toLowerCase() === name.toLowerCase()),
    )
  }

  #value(shape: KeyShape | undefined, text: string, line: number, section: string, key: string): string {
    if (!shape) return jsonOf(text)
    const value = fromText(shape.schema, text)
    if (!v.is(shape.schema, value)) {
      const found = isSecret(shape.schema) ? 'not right' : `"${showInvisible(text)}"`
      this.#problems.push(
        `${this.#path}:${line} [${section}] ${key} is ${found}. It takes ${takenBy(shape.schema)}. Nothing was written.`,
      )
    }
    return jsonOf(value)
  }
}

/** The comments of an INI file, by the lines that they stand above. */
class Comments {
  readonly #above = new Map<number, string[]>()
  #last: string[] = []
  /** How many lines of them there are. */
  count = 0

  /** @param kept the lines that are written: what stands above another one goes to the next of them */
  constructor(text: string, kept: ReadonlySet<number>) {
    let waiting: string[] = []
    for (const [index, line] of text
      .replace(/^\uFEFF/, '')
      .split(/\r\n|\r|\n/)
      .entries()) {
      const trimmed = line.trim()
      if (trimmed === '') {
        if (waiting.length === 0 || waiting.at(-1) !== '') waiting.push('')
      } else if (/^[#;]/.test(trimmed)) {
        this.count += 1
        waiting.push(asComment(trimmed))
      } else if (kept.has(index + 1)) {
        this.#above.set(index + 1, waiting)
        waiting = []
      }
    }
    this.#last = waiting.slice(0, waiting.findLastIndex((comment) => comment !== '') + 1)
  }

  /** Those above a line, and blank lines between. */
  above(line: number): readonly string[] {
    return this.#above.get(line) ?? []
  }

  /** That behind a value, which is no part of it. */
  behind(value: string): string {
    const [, comment] = /(?:^|\s)([;#].*)$/s.exec(value.replace(/^(?:"[^"]*"|'[^']*')/, '')) ?? []
    if (comment === undefined) return ''
    this.count += 1
    return ` ${asComment(comment)}`
  }

  /** Those behind the last value. */
  last(): string[] {
    return this.#last.filter((comment, index) => comment !== '' || index > 0)
  }
}

function asComment(text: string): string {
  return `// ${text.replace(/^[;#]+\s?/, '')}`.trimEnd()
}

function withoutFirstBlank(lines: readonly string[]): string[] {
  return lines[0] === '' ? lines.slice(1) : [...lines]
}
