/**
 * Which values are in force, and where each comes from: the environment, the file, or the definition's default, in that order.
 * All that is wrong is collected, so that it can be told at once; a secret's value is never told.
 *
 * @since 0.20.0
 */
import * as v from 'valibot'
import type { AnyDefinition, KeyShape, SectionShape } from './config-definition.ts'
import { type EnvironmentValues, environmentValues, variableOf } from './config-environment.ts'
import { misspelled, nearestOf, problemsOf, strangersIn, whatIsKnown } from './config-problems.ts'
import type { ConfigText, Found, FoundSection } from './config-text.ts'
import { fromText, isSecret, takenBy } from './config-values.ts'
import { showInvisible } from './log-text.ts'

/**
 * A value, and where it comes from.
 *
 * @internal
 */
export interface ValueInForce {
  section: string
  key: string
  /** As JSON has it. */
  value: unknown
  /** As the program gets it. */
  output: unknown
  from: 'file' | 'environment' | 'default'
  /** Where that is: `rpicluster.json:3:18`, or the name of a variable. Of a default nothing. */
  place: string | undefined
  isSecret: boolean
}

/**
 * The values of some sections, and all that is to be said about them.
 *
 * @internal
 */
export interface InForce {
  values: ValueInForce[]
  problems: string[]
  warnings: string[]
}

/**
 * Puts the values of some sections together.
 *
 * @internal
 * @param file the configuration file; nothing where there is none, and the environment has to say all
 */
export function inForce(
  definition: AnyDefinition,
  sections: readonly string[],
  file: ConfigText | undefined,
  environment: NodeJS.ProcessEnv,
): InForce {
  const said = environmentValues(definition, sections, environment)
  const all: InForce = {
    values: [],
    problems: [...(file?.problems ?? []), ...said.problems],
    warnings: [...(file?.warnings ?? []), ...said.warnings],
  }
  for (const section of sections) {
    const shape = definition.sections[section]
    if (!shape) throw new TypeError(`There is no section "${section}" in this definition.`)
    new Gathering(section, shape, definition, file, said, all).gather()
  }
  return all
}

/** The work of {@link inForce} for one section. */
class Gathering {
  readonly #section: string
  readonly #shape: SectionShape
  readonly #definition: AnyDefinition
  readonly #file: ConfigText | undefined
  readonly #environment: EnvironmentValues
  readonly #all: InForce

  constructor(
    section: string,
    shape: SectionShape,
    definition: AnyDefinition,
    file: ConfigText | undefined,
    environment: EnvironmentValues,
    all: InForce,
  ) {
    this.#section = section
    this.#shape = shape
    this.#definition = definition
    this.#file = file
    this.#environment = environment
    this.#all = all
  }

  gather(): void {
    const found = this.#findSection()
    if (found?.problem !== undefined) this.#all.problems.push(found.problem)
    const keys = found ? this.#currentKeys(found) : new Map<string, Found>()
    const missing: string[] = []
    const taken = new Map<string, Found>()
    for (const [key, shape] of Object.entries(this.#shape.keys)) {
      const fromEnvironment = this.#environment.values.get(`${this.#section}.${key}`)
      const value = fromEnvironment ?? keys.get(this.#file?.isJson === false ? key.toLowerCase() : key)
      if (value) {
        this.#take(key, shape, value, fromEnvironment ? 'environment' : 'file')
        taken.set(key, value)
      } else if (shape.default !== undefined) this.#takeDefault(key, shape)
      else missing.push(key)
    }
    const unknown = [...keys].filter(([key, { isShared }]) => !isShared && !this.#knows(key))
    this.#tellMissing(missing, found, unknown)
    for (const [key, { among }] of Object.entries(this.#shape.keys))
      if (among !== undefined) this.#tellStrangers(key, among, taken.get(key))
  }

  /** The section, under its name or its former one. */
  #findSection(): FoundSection | undefined {
    const sections = this.#file?.sections
    const { formerly } = this.#shape
    const found = sections?.get(this.#section)
    const former = formerly === undefined ? undefined : sections?.get(formerly)
    if (found || !former) return found
    const name = (section: string) => (this.#file?.isJson ? `"${section}"` : `[${section}]`)
    this.#all.warnings.push(
      `${former.place} ${name(formerly ?? '')} is called ${name(this.#section)} now. It is read as before; write ${name(this.#section)}.`,
    )
    return former
  }

  /** The keys of a section, with their names of now. */
  #currentKeys({ keys }: FoundSection): Map<string, Found> {
    const current = new Map(keys)
    for (const [key, { formerly }] of Object.entries(this.#shape.keys)) {
      const value = formerly === undefined ? undefined : current.get(formerly)
      if (formerly === undefined || !value) continue
      // Where the new name stands there, too, the former one is somebody else's.
      current.delete(formerly)
      if (current.has(key)) continue
      current.set(key, value)
      this.#all.warnings.push(
        `${value.place} ${this.#nameOf(formerly)} is called ${key} now. It is read as before; write ${key}.`,
      )
    }
    return current
  }

  #take(key: string, { schema }: KeyShape, found: Found, from: 'file' | 'environment'): void {
    const value = found.isText ? fromText(schema, String(found.value)) : found.value
    const result = v.safeParse(schema, value)
    if (!result.success) {
      this.#all.problems.push(...problemsOf(schema, found, value, result.issues))
      return
    }
    const { place } = found
    this.#add(key, { value, output: result.output, from, place, isSecret: isSecret(schema) })
  }

  /** What is wrong already is not compared. */
  #tellStrangers(key: string, among: string, found: Found | undefined): void {
    const taken = (name: string) =>
      this.#all.values.find((value) => value.section === this.#section && value.key === name)
    const [own, others] = [taken(key), taken(among)]
    if (!own || !others) return
    const known = {
      name: this.#nameOf(among),
      place: others.place,
      names: Object.keys(Object(others.value)),
    }
    const list = { name: this.#nameOf(key), found, names: own.value as string[] }
    this.#all.problems.push(...strangersIn(list, known))
  }

  #takeDefault(key: string, shape: KeyShape): void {
    const { schema, default: value } = shape
    const output = v.parse(schema, value)
    this.#add(key, { value, output, from: 'default', place: undefined, isSecret: isSecret(schema) })
  }

  #add(key: string, value: Omit<ValueInForce, 'section' | 'key'>): void {
    this.#all.values.push({ section: this.#section, key, ...value })
  }

  #tellMissing(
    missing: readonly string[],
    found: FoundSection | undefined,
    unknown: readonly [string, Found][],
  ): void {
    // It may be there, in what cannot be understood.
    const isWhole = this.#file === undefined || this.#file.problems.length === 0
    if (!isWhole || found?.problem !== undefined) return
    if (!found && this.#file) {
      this.#tellMissingSection(missing)
      return
    }
    const meant = new Set<string>()
    for (const key of missing) {
      const { schema } = this.#shape.keys[key] ?? {}
      const takes = schema ? ` It takes ${takenBy(schema)}.` : ''
      const near = nearestOf(
        key,
        unknown.map(([name]) => name),
      )
      if (near !== undefined) meant.add(near)
      const place = unknown.find(([name]) => name === near)?.[1].place
      const what = found
        ? `${found.place} ${this.#nameOf(key)} is missing.`
        : `${this.#section}.${key} is missing: there is no configuration file, and no ${variableOf(this.#section, key)} in the environment.`
      this.#all.problems.push(`${what}${takes}${misspelled(key, near, place)}`)
    }
    for (const [key, { title }] of unknown) {
      if (meant.has(key)) continue
      const hint = whatIsKnown(key, Object.keys(this.#shape.keys))
      this.#all.warnings.push(`${title} is not known here, and is ignored.${hint}`)
    }
  }

  /** A section whose keys all have a default, or are in the environment, need not be there. */
  #tellMissingSection(missing: readonly string[]): void {
    const there = [...(this.#file?.sections.keys() ?? [])].filter((name) => name !== '$schema')
    const shown = (name: string) =>
      this.#file?.isJson ? `"${showInvisible(name)}"` : `[${showInvisible(name)}]`
    const near = nearestOf(
      this.#section,
      there.filter((name) => this.#definition.sections[name] === undefined),
    )
    const what = `${this.#file?.path} has no section ${shown(this.#section)}.`
    const hint =
      near === undefined ? '' : ` It has ${shown(near)}: is that ${shown(this.#section)}, misspelled?`
    if (missing.length > 0) {
      const others =
        there.length === 0 ? ' It has no section at all.' : ` It has ${there.map(shown).join(', ')}.`
      this.#all.problems.push(`${what}${hint || others}`)
    } else if (hint) this.#all.warnings.push(`${what} Defaults are used.${hint}`)
  }

  #knows(key: string): boolean {
    return Object.keys(this.#shape.keys).some(
      (known) => known === key || (this.#file?.isJson === false && known.toLowerCase() === key),
    )
  }

  #nameOf(key: string): string {
    return this.#file?.nameOf(this.#section, key) ?? `${this.#section}.${key}`
  }
}
