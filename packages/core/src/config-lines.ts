/**
 * The lines of a configuration file, taken as Python's `configparser` takes them, since one file may serve
 * nodes of both kinds. Every section and key keeps the number of its line. What `configparser` refuses is a
 * problem with its line, and where this reads more kindly than Python does, it says so.
 *
 * (No INI library for Node keeps line numbers, and each skips what it does not understand, so that a key
 * lands in the section before.)
 *
 * @since 0.4.0
 */
import { showInvisible } from './log-text.ts'

/** The section whose keys hold in every other section that has no such key of its own. */
export const DEFAULT_SECTION = 'DEFAULT'

/** How many values may refer to one another in a row, as `%(name)s` does. As in Python. */
const MAX_REFERENCES = 10

/** What Python calls white space in a line. (JavaScript's list has U+FEFF as well, and lacks U+0085.) */
const SPACE = '[\\t \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'
const INDENT = new RegExp(`^${SPACE}*`)
const IS_SPACE = new RegExp(SPACE)
const TRAILING_COMMENT = new RegExp(`(?:^|${SPACE})[;#].*$`, 's')
const QUOTED = new RegExp(`^(?:"([^"]*)"|'([^']*)')(?:${SPACE}*[;#].*)?$`, 's')
const WORD_AND_MORE = new RegExp(`^(.*?)${SPACE}+(.+)$`, 's')

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what no line should have
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/

/** Something to say about one line. */
export interface Note {
  /** Counted from 1. */
  line: number
  text: string
}

/** A key as it stands in the file. */
interface Entry {
  /** As it is written. Python knows it in lower case. */
  key: string
  /** What stands behind the `=` or `:`, with nothing taken off but spaces. Undefined where there is neither. */
  value: string | undefined
  line: number
  /** The section that it stands in. */
  section: string
}

/** The keys of a section, by their names in lower case. */
export type Section = Map<string, Entry>

/** A file's sections, and what is wrong with its lines. */
export interface ConfigLines {
  sections: Map<string, Section>
  /** The lines on which they begin; of one that stands there twice, the last. */
  sectionLines: Map<string, number>
  /** The lines that cannot be understood. */
  problems: Note[]
  /** What is read, and might surprise. */
  warnings: Note[]
}

/** Takes the text of a configuration file apart. It never throws: what is wrong is in `problems`. */
export function readConfigLines(text: string): ConfigLines {
  const reader = new Reader()
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
  for (const [index, line] of lines.entries()) reader.read(line, index + 1)
  return reader.done()
}

/** The work of {@link readConfigLines}, which knows what stood above a line. */
class Reader {
  readonly #sections = new Map<string, Section>()
  readonly #sectionLines = new Map<string, number>()
  readonly #problems: Note[] = []
  readonly #warnings: Note[] = []
  /** The lines that stand above the first section. */
  readonly #homeless: Note[] = []
  #name = ''
  /** Where keys go: nowhere above the first section, and below a line that looks like the beginning of one. */
  #section: Section | undefined
  #wasInSection = false
  /** The line of the last key of this section, and the column in which it begins. */
  #lastKey: { line: number; indent: number } | undefined

  read(line: string, number: number): void {
    const text = strip(line)
    if (text === '' || text.startsWith('#') || text.startsWith(';')) return
    if (this.#cannotBeText(text, number)) return
    if (this.#goesOn(line, text, number)) return
    if (text.startsWith('[')) this.#beginSection(text, number)
    else this.#addKey(text, number, indentOf(line))
  }

  done(): ConfigLines {
    // A file without any section is told as just that.
    if (this.#sections.size > 0) this.#problems.unshift(...this.#homeless)
    return {
      sections: this.#sections,
      sectionLines: this.#sectionLines,
      problems: this.#problems,
      warnings: this.#warnings,
    }
  }

  #cannotBeText(text: string, line: number): boolean {
    const [control] = CONTROL.exec(text) ?? []
    if (control === undefined && !text.includes('\uFFFD')) return false
    const what =
      control === undefined ? 'is not UTF-8 text' : `has the character ${showInvisible(control)} in it`
    this.#problems.push({
      line,
      text: `${what}: "${shown(text)}". Type the line anew, and save the file as UTF-8.`,
    })
    return true
  }

  /** Python takes a line that is indented deeper than the key above it for more of that key's value. */
  #goesOn(line: string, text: string, number: number): boolean {
    if (!this.#lastKey || indentOf(line) <= this.#lastKey.indent) return false
    const what = `"${shown(text)}" is indented deeper than line ${this.#lastKey.line}, and so would be a part of that line's value`
    this.#problems.push({ line: number, text: `${what}. Begin both lines in the same column.` })
    return true
  }

  #beginSection(text: string, line: number): void {
    this.#lastKey = undefined
    this.#section = undefined
    this.#wasInSection = true
    const [, inside = '', rest = ''] = /^\[([^\]]*)\](.*)$/s.exec(text) ?? []
    this.#name = strip(inside)
    const what = `"${shown(text)}"`
    if (!text.includes(']')) {
      this.#problems.push({ line, text: `${what} begins a section, and lacks its "]".` })
    } else if (this.#name === '') {
      this.#problems.push({ line, text: `${what} begins a section, and lacks its name.` })
    } else if (rest.includes(']')) {
      const why = 'Python takes the last "]" of a line for the end of the name'
      this.#problems.push({ line, text: `${what} has more than one "]". Leave one: ${why}.` })
    } else if (!/^$|^[;#]/.test(strip(rest))) {
      this.#problems.push({
        line,
        text: `${what} goes on behind its "]". Put "${shown(strip(rest))}" on a line of its own, or write "#" before it.`,
      })
    } else {
      if (inside !== this.#name) {
        this.#warnings.push({
          line,
          text: `"[${shown(inside)}]" is read as [${shown(this.#name)}]. To Python the spaces are a part of the name: leave them out.`,
        })
      }
      this.#openSection(line)
    }
  }

  #openSection(line: number): void {
    const before = this.#sectionLines.get(this.#name)
    if (before !== undefined) {
      this.#warnings.push({
        line,
        text: `[${shown(this.#name)}] stands on line ${before} already. Both are read as one section; Python refuses that.`,
      })
    }
    this.#sectionLines.set(this.#name, line)
    this.#section = this.#sections.get(this.#name) ?? new Map()
    this.#sections.set(this.#name, this.#section)
  }

  #addKey(text: string, line: number, indent: number): void {
    this.#lastKey = { line, indent }
    const [, keyText, valueText] = /^([^=:]*)[=:](.*)$/s.exec(text) ?? []
    const key = strip(keyText ?? text)
    const value = valueText === undefined ? undefined : strip(valueText)
    const [, word, more] = WORD_AND_MORE.exec(key) ?? []
    if (!this.#wasInSection) {
      this.#homeless.push({
        line,
        text: `"${shown(text)}" stands above the first section. Move it below the line of the section that it belongs to.`,
      })
    } else if (key === '') {
      this.#problems.push({
        line,
        text: `"${shown(text)}" has nothing before its "${text[0]}". Write a key there.`,
      })
    } else if (value === undefined && word !== undefined && more !== undefined) {
      this.#problems.push({
        line,
        text: `"${shown(text)}" has no "=". Is it "${shown(word)} = ${shown(more)}"? (A comment begins with "#".)`,
      })
    } else this.#keep({ key, value, line, section: this.#name })
  }

  #keep(entry: Entry): void {
    const name = entry.key.toLowerCase()
    const before = this.#section?.get(name)
    if (before) {
      this.#warnings.push({
        line: entry.line,
        text: `[${shown(this.#name)}] ${shown(entry.key)} stands on line ${before.line} already. The value of line ${entry.line} is used; Python refuses that.`,
      })
    }
    this.#section?.set(name, entry)
  }
}

/** The value of one key, ready to be used, and what is to be said about it. */
interface Value {
  text: string
  warnings: Note[]
  problems: Note[]
}

/**
 * The value of a key, with what it refers to as `%(name)s` put in, and `%%` made `%`. A comment behind the
 * value, and quotes around it, do not belong to it; Python thinks otherwise, which is a warning.
 *
 * @param section the keys that a reference may name, those of {@link DEFAULT_SECTION} included
 */
export function readValue(entry: Entry, section: Section): Value {
  const value: Value = { text: '', warnings: [], problems: [] }
  value.text = resolve(entry, section, value, 1)
  return value
}

function resolve(entry: Entry, section: Section, notes: Omit<Value, 'text'>, depth: number): string {
  const { line } = entry
  return bare(entry, notes.warnings).replace(/%%|%\(([^)]+)\)s|%/g, (found, name: string | undefined) => {
    if (found === '%%') return '%'
    if (name === undefined) {
      notes.warnings.push({ line, text: `"%" is read as it stands. Python wants "%%" for it.` })
      return '%'
    }
    const other = section.get(name.toLowerCase())
    if (!other || depth > MAX_REFERENCES) {
      const why = other ? 'leads to itself, or over too many others' : 'names no key of this section'
      notes.problems.push({ line, text: `"${shown(found)}" ${why}. Write the value itself there.` })
      return found
    }
    return resolve(other, section, notes, depth + 1)
  })
}

/** A value without the quotes around it, and without the comment behind it. */
function bare({ value = '', line }: Entry, warnings: Note[]): string {
  const quoted = QUOTED.exec(value)
  const inside = quoted?.[1] ?? quoted?.[2]
  const text = inside ?? strip(value.replace(TRAILING_COMMENT, ''))
  if (text !== value) {
    const what = inside === undefined ? 'what follows is a comment' : 'without its quotes'
    warnings.push({
      line,
      text: `"${shown(value)}" is read as "${shown(text)}", ${what}. Python would take all of it: leave the rest out, or give a comment a line of its own.`,
    })
  }
  return text
}

function indentOf(line: string): number {
  return INDENT.exec(line)?.[0].length ?? 0
}

function strip(text: string): string {
  let [from, to] = [0, text.length]
  while (from < to && IS_SPACE.test(text.charAt(from))) from += 1
  while (to > from && IS_SPACE.test(text.charAt(to - 1))) to -= 1
  return text.slice(from, to)
}

/** A part of the file as a message shows it: invisible characters as their codes, and not too much of it. */
function shown(text: string): string {
  return showInvisible(text.length > 80 ? `${text.slice(0, 80)}...` : text)
}
