/**
 * What is wrong with a text that should be JSON, in plain words, and where: what was found, and what would be right. The
 * parser's own codes say what it missed, and not what the writer did.
 *
 * @since 0.20.0
 */
import { createScanner, type ParseError, printParseErrorCode } from 'jsonc-parser'
import { showInvisible } from './log-text.ts'

/** How deep brackets may stand in each other. A configuration has two or three of them, and the parser's stack its end. */
const MAX_DEPTH = 32

/** How much of what stands somewhere is shown, in characters. */
const LONGEST = 60

/** What the scanner calls the end. */
const END_OF_FILE = 17

/**
 * Something to say about a place in a text.
 *
 * @internal
 */
export interface Mistake {
  /** Counted in characters from the beginning. */
  offset: number
  text: string
}

/** A piece of JSON: a bracket, a comma, a text. */
interface Token {
  text: string
  offset: number
}

/**
 * The pieces of a JSON text, without spaces and comments.
 *
 * @internal
 * @returns a mistake when brackets stand too deep in each other
 */
export function tokensOf(text: string): Token[] | Mistake {
  const scanner = createScanner(text)
  const tokens: Token[] = []
  let depth = 0
  while (scanner.scan() !== END_OF_FILE) {
    const offset = scanner.getTokenOffset()
    const raw = text.slice(offset, offset + scanner.getTokenLength())
    if (/^(?:\s|\/[/*])/.test(raw)) continue
    if (raw === '{' || raw === '[') depth += 1
    if (raw === '}' || raw === ']') depth -= 1
    if (depth > MAX_DEPTH) {
      return {
        offset,
        text: `More than ${MAX_DEPTH} brackets stand in each other here. Is it a configuration file?`,
      }
    }
    tokens.push({ text: raw, offset })
  }
  return tokens
}

/**
 * Says in words what the parser found, once a line: what follows a mistake in its line is mostly its consequence.
 *
 * @internal
 */
export class Explainer {
  readonly #text: string
  readonly #tokens: readonly Token[]
  readonly #secrets: readonly string[]

  /** @param secrets the names whose values must not be shown */
  constructor(text: string, tokens: readonly Token[], secrets: readonly string[]) {
    this.#text = text
    this.#tokens = tokens
    this.#secrets = secrets
  }

  explain(error: ParseError): Mistake {
    const { offset, text } = this.#explain(error)
    return { offset, text: capitalized(text) }
  }

  /** Whether the parser only misses the value that it has just found to be none: it says so at what follows. */
  isConsequence({ error, offset }: ParseError, before: ParseError | undefined): boolean {
    if (before === undefined || printParseErrorCode(error) !== 'ValueExpected') return false
    return (
      printParseErrorCode(before.error) === 'InvalidSymbol' &&
      this.#indexAt(offset) === this.#indexAt(before.offset) + 1
    )
  }

  /** Which token stands at an offset, or else the next one behind it. */
  #indexAt(offset: number): number {
    const index = this.#tokens.findIndex((token) => token.offset + token.text.length > offset)
    return index < 0 ? this.#tokens.length : index
  }

  #explain({ error, offset }: ParseError): Mistake {
    const at = this.#indexAt(offset)
    const [before, found, after] = [this.#tokens[at - 1], this.#tokens[at], this.#tokens[at + 1]]
    const shown = this.#shown(at)
    const place = found?.offset ?? this.#text.trimEnd().length
    switch (printParseErrorCode(error)) {
      case 'InvalidSymbol':
        return { offset: place, text: this.#symbol(at, shown, before, after) }
      case 'PropertyNameExpected':
        return { offset: place, text: `${shown} stands where a name in double quotes is expected, or a "}".` }
      case 'ValueExpected':
        if (this.#tokens.length === 0)
          return { offset: 0, text: 'The file is empty. It takes { and }, and sections between.' }
        return {
          offset: place,
          text: `${shown} stands where a value is expected, such as 1, "a text", true or null.`,
        }
      case 'ColonExpected':
        return found?.text.startsWith('=')
          ? { offset: place, text: 'A "=" stands where JSON has a ":".' }
          : { offset: endOf(before), text: `A ":" is missing after ${this.#shown(at - 1)}.` }
      case 'CommaExpected':
        if (/^[}\]]$/.test(found?.text ?? '')) return this.#unclosed(at, place)
        return { offset: endOf(before), text: `A "," is missing after ${this.#shown(at - 1)}.` }
      case 'CloseBraceExpected':
      case 'CloseBracketExpected':
        return this.#unclosed(at, place)
      case 'EndOfFileExpected':
        return {
          offset: place,
          text: `${shown} stands behind the end of the configuration, which is one { } with everything in it.`,
        }
      case 'UnexpectedEndOfComment':
        return { offset, text: 'A comment begins with "/*" here, and never ends: "*/" is missing.' }
      case 'UnexpectedEndOfString':
        return { offset: place, text: `${shown} has no quotation mark at its end.` }
      case 'InvalidEscapeCharacter':
      case 'InvalidUnicode':
        return { offset: place, text: `${shown} has a backslash that JSON does not know. Write two for one.` }
      case 'InvalidCharacter':
        return {
          offset: place,
          text: `${shown} has a tab or another control character in it. Write \\t, or a space.`,
        }
      default:
        return { offset: place, text: `${shown} is no number as JSON has them, such as 12345 or 0.5.` }
    }
  }

  /** What is no JSON at all. */
  #symbol(at: number, shown: string, before: Token | undefined, after: Token | undefined): string {
    const word = this.#tokens[at]?.text ?? ''
    if (/^[#;]/.test(word)) return `A comment begins with "//" in JSON, and not with "${word.charAt(0)}".`
    if (word.startsWith('=')) return 'A "=" stands where JSON has a ":".'
    if (word.startsWith("'")) return `${shown} begins with a single quote. JSON has double ones, "so".`
    if (after?.text === ':' || after?.text.startsWith('=') || before?.text === '{')
      return `${shown} is a name without its double quotes.`
    if (this.#isHidden(at)) return `${shown} is no value. A text stands in double quotes.`
    const meant = {
      true: 'true',
      yes: 'true',
      on: 'true',
      false: 'false',
      no: 'false',
      off: 'false',
      none: 'null',
    }[word.toLowerCase()]
    if (meant) return `${shown} is no value. Is it ${meant}?`
    return `${shown} is no value. A text stands in double quotes, and a number has nothing but digits.`
  }

  #unclosed(at: number, place: number): Mistake {
    const open: Token[] = []
    for (const token of this.#tokens.slice(0, at)) {
      if (token.text === '{' || token.text === '[') open.push(token)
      else if (token.text === '}' || token.text === ']') open.pop()
    }
    const last = open.at(-1)
    const end = last?.text === '[' ? ']' : '}'
    const line = last === undefined ? 1 : this.#text.slice(0, last.offset).split(/\r\n|\r|\n/).length
    const where = at < this.#tokens.length ? `before ${this.#shown(at)}` : 'at the end of the file'
    return {
      offset: place,
      text: `A "${end}" is missing ${where}, for the "${last?.text ?? '{'}" of line ${line}.`,
    }
  }

  /** What stands there, for a reader; of a secret nothing. */
  #shown(at: number): string {
    const token = this.#tokens[at]
    if (!token) return 'the end of the file'
    if (this.#isHidden(at)) return 'what is here'
    const text = showInvisible(
      token.text.length > LONGEST ? `${token.text.slice(0, LONGEST)}...` : token.text,
    )
    return /^["'\d-]/.test(text) ? text : `"${text}"`
  }

  /** Whether this is, or may be, a part of a secret's value: one whose name stands before it in its line, or above. */
  #isHidden(at: number): boolean {
    const found = this.#tokens[at]
    if (!found || /^[{}[\],:]$/.test(found.text)) return false
    const line = Math.max(...['\n', '\r'].map((end) => this.#text.lastIndexOf(end, found.offset - 1)))
    for (let index = at; index >= 0; index -= 1) {
      const { text, offset } = this.#tokens[index] ?? found
      if (this.#secrets.some((name) => text.includes(name) && (index < at || !isNothingBut(name, text))))
        return true
      const isFirst = !this.#text.slice(line + 1, offset).trim()
      const isName = this.#tokens[index + 1]?.text === ':' && /^(?:"[^"]*"|[\w-]+)$/.test(text)
      // Another name, and not something that looks like one within a secret.
      if (isName && (offset <= line || isFirst)) return false
    }
    return false
  }
}

function isNothingBut(name: string, text: string): boolean {
  return text.replace(/^["']|["':=]+$/g, '') === name
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function endOf(token: Token | undefined): number {
  return token === undefined ? 0 : token.offset + token.text.length
}
