/**
 * What stands in a configuration file, JSON or INI, in one form: by its section and key each value, where it is, and what to
 * call it in a message. Which of the two a file is shows in what it begins with, so that a pipe and a file of any name
 * can be either.
 *
 * @since 0.20.0
 */
import { findNodeAtLocation, type Node, type ParseError, parseTree } from 'jsonc-parser'
import { notes } from './config.ts'
import { DEFAULT_SECTION, type Note, readConfigLines, readValue } from './config-lines.ts'
import { Explainer, type Mistake, tokensOf } from './json-mistakes.ts'
import { showInvisible } from './log-text.ts'

/** How many mistakes of one file are told. */
const TOLD_MISTAKES = 10

/**
 * A value that was found somewhere.
 *
 * @internal
 */
export interface Found {
  value: unknown
  /** Whether it is a text that stands for a value, as in an INI file and in the environment. */
  isText: boolean
  /** Where that is, in short: `rpicluster.json:3:18`, `RPI_CLUSTER_NODE_PORT`. */
  place: string
  /** How a message about it begins: `rpicluster.json:3:18 node.socket_port`. */
  title: string
  /** What stands within it. Of a text nothing is known but the whole. */
  within?: Within
  /** Whether it holds for all sections, and so may be none of this one's. */
  isShared?: boolean
}

/**
 * The names and indexes that lead from a value to one within it.
 *
 * @internal
 */
export type Path = readonly (string | number)[]

/**
 * What to call what stands within a value, and where it is.
 *
 * @internal
 */
export interface Within {
  /** `cluster.members.node-1.port`, `node.friends[2]` */
  nameOf(path: Path): string
  /** Where a value begins, in short. */
  placeOf(path: Path): string
  /** Where the name before it does. */
  placeOfName(path: Path): string
}

/**
 * A section that was found.
 *
 * @internal
 */
export interface FoundSection {
  /** Where it begins. */
  place: string
  /** By their names in the file. */
  keys: Map<string, Found>
  /** What is wrong with it as a whole. */
  problem?: string
}

/**
 * A configuration file, taken apart.
 *
 * @internal
 */
export interface ConfigText {
  path: string
  isJson: boolean
  sections: Map<string, FoundSection>
  /** What cannot be understood. Where there is any, a key that is not found may be there all the same. */
  problems: string[]
  /** What is understood, and might surprise. */
  warnings: string[]
  /** What this kind of file calls a key of a section. */
  nameOf(section: string, key: string): string
}

/**
 * Whether a text is JSON: it begins with a brace, or with what only JSON can begin with; and if that does not tell,
 * its name does.
 *
 * @internal
 */
export function isJson(path: string, text: string): boolean {
  const begin = text.replace(/^\uFEFF/, '').replace(/^(?:\s|(?:\/\/|[;#]).*|\/\*[\s\S]*?(?:\*\/|$))+/, '')
  if (/^["{]/.test(begin)) return true
  return (
    /\.jsonc?$/i.test(path) && !/^\[[^\]"{}[,]+\]\s*(?:[;#].*)?$/m.test(begin.split(/[\r\n]/, 1)[0] ?? '')
  )
}

/**
 * Takes a configuration file apart. It never throws.
 *
 * @internal
 * @param secrets the names of the keys whose values no message may show
 */
export function readConfigText(path: string, text: string, secrets: readonly string[]): ConfigText {
  return isJson(path, text) ? readJson(path, text, secrets) : readIni(path, text, secrets)
}

function readJson(path: string, whole: string, secrets: readonly string[]): ConfigText {
  const text = whole.replace(/^\uFEFF/, '')
  const places = new Places(path, text)
  const found: ConfigText = {
    path,
    isJson: true,
    sections: new Map(),
    problems: [],
    warnings: [],
    nameOf: (section, key) => `${showInvisible(section)}.${shownKey(key, secrets)}`,
  }
  const unreadable = text.indexOf('\uFFFD')
  if (unreadable >= 0) {
    found.problems.push(
      `${places.at(unreadable)} This is not UTF-8 text. Type the line anew, and save the file as UTF-8.`,
    )
    return found
  }
  const tokens = tokensOf(text)
  if (!Array.isArray(tokens)) {
    found.problems.push(places.told(tokens))
    return found
  }
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { allowTrailingComma: true })
  const explainer = new Explainer(text, tokens, secrets)
  const causes = errors.filter((error, index) => !explainer.isConsequence(error, errors[index - 1]))
  found.problems.push(...places.oneForEachLine(causes.map((error) => explainer.explain(error))))
  if (errors.length === 0 && root?.type !== 'object') {
    found.problems.push(
      `${places.at(root?.offset ?? 0)} The file is ${kindOf(root)}. It takes { and }, and sections between.`,
    )
  }
  for (const [name, { key, value }] of properties(root, showInvisible, places, found.problems)) {
    const section: FoundSection = { place: places.at(key.offset), keys: new Map() }
    found.sections.set(name, section)
    if (value?.type !== 'object') {
      if (name !== '$schema' && value)
        section.problem = `${section.place} ${showInvisible(name)} is ${kindOf(value)}. It takes a section: { and }, and keys between.`
      continue
    }
    for (const [keyName, property] of properties(
      value,
      (key) => found.nameOf(name, key),
      places,
      found.problems,
    )) {
      if (!property.value) continue
      const node = property.value
      const called = found.nameOf(name, keyName)
      const nameOf = (path: Path) =>
        path.reduce<string>(
          (name, step) => name + (typeof step === 'number' ? `[${step}]` : `.${shownKey(step, secrets)}`),
          called,
        )
      const nodeAt = (path: Path) => findNodeAtLocation(node, [...path]) ?? node
      section.keys.set(keyName, {
        value: valueIn(node, (of, path) =>
          properties(of, (key) => nameOf([...path, key]), places, found.problems),
        ),
        isText: false,
        place: places.at(node.offset),
        title: `${places.at(node.offset)} ${called}`,
        within: {
          nameOf,
          placeOf: (path) => places.at(nodeAt(path).offset),
          placeOfName: (path) => places.at((nodeAt(path).parent?.children?.[0] ?? node).offset),
        },
      })
    }
  }
  return found
}

/** The properties of an object; of one that stands there twice the first, and that is a problem. */
function properties(
  node: Node | undefined,
  nameOf: (key: string) => string,
  places: Places,
  problems: string[],
) {
  const found = new Map<string, { key: Node; value: Node | undefined }>()
  for (const property of node?.type === 'object' ? (node.children ?? []) : []) {
    const [key, value] = property.children ?? []
    if (!key) continue
    const before = found.get(key.value)
    if (!before) found.set(key.value, { key, value })
    else {
      problems.push(
        `${places.at(key.offset)} ${nameOf(key.value)} stands on line ${places.lineOf(before.key.offset)} already. Leave one of them.`,
      )
    }
  }
  return found
}

/** A value of the tree. (The parser's own `getNodeValue` sets prototypes.) */
function valueIn(
  node: Node,
  propertiesOf: (node: Node, path: Path) => ReturnType<typeof properties>,
  path: Path = [],
): unknown {
  const inner = (value: Node, step: string | number) => valueIn(value, propertiesOf, [...path, step])
  if (node.type === 'array') return (node.children ?? []).map(inner)
  if (node.type !== 'object') return node.value
  return Object.fromEntries(
    [...propertiesOf(node, path)].map(([key, { value }]) => [key, value && inner(value, key)]),
  )
}

/** What a value is, in words. */
function kindOf(node: Node | undefined): string {
  if (node?.type === 'array') return 'a list'
  if (node?.type === 'object') return 'an object'
  return node?.type === 'string' ? 'a text' : String(node?.value)
}

/** Lines and columns, counted from 1. */
class Places {
  readonly #path: string
  readonly #lineStarts: number[] = [0]

  constructor(path: string, text: string) {
    this.#path = path
    for (const { index, 0: end } of text.matchAll(/\r\n|\r|\n/g)) this.#lineStarts.push(index + end.length)
  }

  at(offset: number): string {
    const line = this.lineOf(offset)
    return `${this.#path}:${line}:${offset - (this.#lineStarts[line - 1] ?? 0) + 1}`
  }

  lineOf(offset: number): number {
    let [from, to] = [0, this.#lineStarts.length]
    while (to - from > 1) {
      const middle = (from + to) >> 1
      if ((this.#lineStarts[middle] ?? 0) <= offset) from = middle
      else to = middle
    }
    return from + 1
  }

  told({ offset, text }: Mistake): string {
    return `${this.at(offset)} ${text}`
  }

  /** The first of each line: what follows is mostly its consequence. */
  oneForEachLine(mistakes: readonly Mistake[]): string[] {
    const byLine = new Map<number, Mistake>()
    for (const mistake of mistakes) {
      const line = this.lineOf(mistake.offset)
      if (!byLine.has(line)) byLine.set(line, mistake)
    }
    const all = [...byLine.values()]
    const told = all.slice(0, TOLD_MISTAKES).map((mistake) => this.told(mistake))
    const others = all.length - told.length
    return others > 0 ? [...told, `${this.#path} has mistakes in ${others} more lines.`] : told
  }
}

function readIni(path: string, text: string, secrets: readonly string[]): ConfigText {
  const { sections, sectionLines, ...said } = readConfigLines(text)
  const problems: Note[] = [...said.problems]
  const warnings: Note[] = [...said.warnings]
  const found: ConfigText = {
    path,
    isJson: false,
    sections: new Map(),
    problems: [],
    warnings: [],
    nameOf: (section, key) => `[${showInvisible(section)}] ${shownKey(key, secrets)}`,
  }
  for (const [name, entries] of sections) {
    const section: FoundSection = { place: `${path}:${sectionLines.get(name) ?? 1}`, keys: new Map() }
    if (name !== DEFAULT_SECTION) found.sections.set(name, section)
    const all = new Map([...(sections.get(DEFAULT_SECTION) ?? []), ...entries])
    for (const [key, entry] of all) {
      const title = `${path}:${entry.line} ${found.nameOf(entry.section, entry.key)}`
      if (entry.value === undefined) {
        if (entry.section === name)
          problems.push({
            line: entry.line,
            text: `${found.nameOf(entry.section, entry.key)} has no value. Write "${shownKey(entry.key, secrets)} = " and the value.`,
          })
        continue
      }
      const value = readValue(entry, all)
      // A key of all sections is told of once.
      if (entry.section === name) {
        problems.push(...value.problems)
        warnings.push(...value.warnings)
      }
      section.keys.set(key, {
        value: value.text,
        isText: true,
        place: `${path}:${entry.line}`,
        title,
        isShared: entry.section === DEFAULT_SECTION,
      })
    }
  }
  const hidden = secretLines(text, secrets)
  const shown = (all: Note[]) =>
    notes(
      path,
      all.map((note) => (hidden.has(note.line) ? withoutSecret(note) : note)),
    )
  found.problems.push(...shown(problems))
  found.warnings.push(...shown(warnings))
  return found
}

/** A name for people. One that begins as a secret's goes on with its value, where a sign between the two is missing. */
function shownKey(key: string, secrets: readonly string[]): string {
  const secret = secrets.find((name) => key.toLowerCase().includes(name.toLowerCase()))
  return secret === undefined || secret.length === key.length ? showInvisible(key) : `${secret}...`
}

/** The lines that have a secret in them, or that go on with one. */
function secretLines(text: string, secrets: readonly string[]): Set<number> {
  const lines = new Set<number>()
  for (const [index, line] of text.split(/\r\n|\r|\n/).entries()) {
    const names = secrets.some((name) => line.toLowerCase().includes(name.toLowerCase()))
    if (names || (lines.has(index) && /^\s+\S/.test(line))) lines.add(index + 1)
  }
  return lines
}

function withoutSecret({ line }: Note): Note {
  return {
    line,
    text: 'This line is about a secret, and is not shown. It is not what Python would take: write "name = value", without quotes, a comment or a lone "%".',
  }
}
