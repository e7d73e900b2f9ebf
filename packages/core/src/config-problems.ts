/**
 * What is wrong with a value, as lines for who wrote it: where it is, what was found, and what would be right. Of a list or an
 * object it is told what of it is wrong: an item, a key that is missing, one that is not known. A secret is never told.
 *
 * @since 0.20.0
 */
import { closest, distance } from 'fastest-levenshtein'
import * as v from 'valibot'
import { TYPO_DISTANCE } from './config.ts'
import type { Found, Path, Within } from './config-text.ts'
import { fromText, isSecret, partsOf, takenBy } from './config-values.ts'
import { showInvisible } from './log-text.ts'

/** How much of a wrong value is shown, in characters. */
const LONGEST_VALUE = 80

/** How many mistakes of one value are told. */
const TOLD_PROBLEMS = 10

/** A value, or one within it, and what is to check it. */
interface Checked {
  path: Path
  schema: v.GenericSchema
  value: unknown
}

/**
 * A line for each thing that is wrong with a value.
 *
 * @internal
 * @param value what was found, as JSON has it
 * @param issues what its schema says of that
 */
export function problemsOf(
  schema: v.GenericSchema,
  found: Found,
  value: unknown,
  issues: readonly v.BaseIssue<unknown>[],
): string[] {
  const whole = { path: [], schema, value }
  if (!found.within) return [wrongValue(whole, found.title, found.value)]
  const telling = new Telling(whole, found.within)
  for (const issue of issues) telling.take(issue)
  return someOf([...telling.problems], found)
}

/**
 * A line for each thing that is wrong with a list of names which are those of another key: that there is none, one twice, or one
 * of nobody.
 *
 * @internal
 * @param list what stands where; not where it is the default
 * @param known those of the other key, with its place
 */
export function strangersIn(
  list: { name: string; found: Found | undefined; names: readonly string[] },
  known: { name: string; place: string | undefined; names: readonly string[] },
): string[] {
  const { found, names } = list
  const takes = `It takes names of ${known.name}`
  const strangers = names.filter((name) => !known.names.includes(name))
  if (!found)
    return strangers.length === 0
      ? []
      : [
          `${known.place} ${known.name} has no ${strangers.join(', ')}, which ${list.name} has by default. Say ${list.name} as well.`,
        ]
  if (names.length === 0) return [`${found.title} is []. ${takes}, one at least.`]
  const { within, title } = found
  const problems = names.flatMap((name, index) => {
    const where = within ? `${within.placeOf([index])} ${within.nameOf([index])}` : title
    const is = `${where} is ${shownValue(name)}`
    if (strangers.includes(name)) return [`${is}. ${takes}: ${known.names.join(', ')}.`]
    return names.indexOf(name) < index ? [`${is}, which is there already. ${takes}, each once.`] : []
  })
  return someOf(problems, found)
}

function someOf(problems: string[], { title }: Found): string[] {
  const others = problems.length - TOLD_PROBLEMS
  return others > 0
    ? [...problems.slice(0, TOLD_PROBLEMS), `${title} has more mistakes: ${others}.`]
    : problems
}

/** The work of {@link problemsOf} for a value of a JSON file. */
class Telling {
  /** What is wrong with one value in several ways is one line. */
  readonly problems = new Set<string>()
  readonly #whole: Checked
  readonly #within: Within
  /** Where keys are that are told of as another one, misspelled. */
  readonly #misspelled = new Set<string>()

  constructor(whole: Checked, within: Within) {
    this.#whole = whole
    this.#within = within
  }

  take({ path }: v.BaseIssue<unknown>): void {
    let at = this.#whole
    for (const { key, origin, value } of (path ?? []) as readonly v.IssuePathItem[]) {
      // Where something else stands than a list or an object, as it should be, that is wrong as a whole.
      const isInList = typeof key === 'number'
      if (isSecret(at.schema) || Array.isArray(at.value) !== isInList) break
      if (origin === 'key' && this.#takeKey(at, String(key))) return
      const schema = schemaOf(at.schema, String(key))
      if (!schema) break
      at = { path: [...at.path, isInList ? key : String(key)], schema, value }
    }
    this.problems.add(wrongValue(at, this.#title(at.path), at.value))
  }

  /** What is wrong is not a value, but a key: that there is one, or none, or how it is called. */
  #takeKey(at: Checked, key: string): boolean {
    const { entries, key: names } = partsOf(at.schema)
    const within = this.#within
    const path = [...at.path, key]
    if (entries) {
      const unknown = Object.keys(at.value as object).filter((name) => !Object.hasOwn(entries, name))
      const schema = Object.hasOwn(entries, key) ? entries[key] : undefined
      if (schema) this.#tellMissing(at, path, key, schema, unknown)
      else this.#tellUnknown(at, unknown, Object.keys(entries))
    } else if (names) {
      this.problems.add(
        `${within.placeOfName(path)} A name in ${within.nameOf(at.path)} is ${shownValue(key)}. It takes ${takenBy(names)}.`,
      )
    }
    return entries !== undefined || names !== undefined
  }

  #tellMissing(
    at: Checked,
    path: Path,
    key: string,
    schema: v.GenericSchema,
    unknown: readonly string[],
  ): void {
    const within = this.#within
    const near = nearestOf(key, unknown)
    const place = near === undefined ? undefined : within.placeOf([...at.path, near])
    if (place !== undefined) this.#misspelled.add(place)
    this.problems.add(
      `${within.placeOf(at.path)} ${within.nameOf(path)} is missing. It takes ${takenBy(schema)}.${misspelled(key, near, place)}`,
    )
  }

  /** The schema names the first of them alone. */
  #tellUnknown(at: Checked, unknown: readonly string[], known: readonly string[]): void {
    for (const key of unknown) {
      const path = [...at.path, key]
      if (this.#misspelled.has(this.#within.placeOf(path))) continue
      this.problems.add(`${this.#title(path)} is not known here.${whatIsKnown(key, known)}`)
    }
  }

  #title(path: Path): string {
    return `${this.#within.placeOf(path)} ${this.#within.nameOf(path)}`
  }
}

/**
 * Which of some names is nearly one that was expected; nothing when none is.
 *
 * @internal
 */
export function nearestOf(name: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined
  const nearest = closest(name, names)
  return distance(name, nearest) <= TYPO_DISTANCE ? nearest : undefined
}

/**
 * What is added to the line of a missing key, where one that is not known is nearly it.
 *
 * @internal
 */
export function misspelled(key: string, near: string | undefined, place: string | undefined): string {
  return near === undefined
    ? ''
    : ` ${showInvisible(near)} is there, at ${place}: is that ${key}, misspelled?`
}

/**
 * What is added to the line of a key that is not known.
 *
 * @internal
 */
export function whatIsKnown(key: string, known: readonly string[]): string {
  const near = nearestOf(key, known)
  return near === undefined ? ` Known here: ${known.join(', ')}.` : ` Did you mean ${near}?`
}

/** What checks an item of a list, or what a key of an object has. */
function schemaOf(schema: v.GenericSchema, key: string): v.GenericSchema | undefined {
  const { item, entries, value } = partsOf(schema)
  if (!entries) return item ?? value
  const entry = Object.hasOwn(entries, key) ? entries[key] : undefined
  // That it may be left out says nothing of what it is.
  const { type, wrapped } = (entry ?? {}) as { type?: string; wrapped?: v.GenericSchema }
  return type === 'optional' || type === 'exact_optional' ? wrapped : entry
}

/** @param shown what stands there, which may be the text for a value */
function wrongValue({ schema, value }: Checked, title: string, shown: unknown): string {
  const takes = `It takes ${takenBy(schema)}.`
  if (isSecret(schema)) return `${title} is not right. ${takes} (What it is, is a secret, and not shown.)`
  const meant = value === shown && typeof value === 'string' ? fromText(schema, value) : value
  const hint =
    meant !== value && v.is(schema, meant)
      ? ` Write ${JSON.stringify(meant)}, without the quotation marks.`
      : ''
  return `${title} is ${shownValue(shown)}. ${takes}${hint}`
}

/** A value as JSON has it, for a reader. */
function shownValue(value: unknown): string {
  if (Array.isArray(value) && value.length > 0) return 'a list'
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) return 'an object'
  const json = typeof value === 'string' ? `"${value}"` : (JSON.stringify(value) ?? 'nothing')
  return showInvisible(json.length > LONGEST_VALUE ? `${json.slice(0, LONGEST_VALUE)}...` : json)
}
