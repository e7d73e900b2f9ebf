/** What a line means that somebody types, or hands over on the command line: something to send, or a command. */
import { closest, distance } from 'fastest-levenshtein'
import ms, { type StringValue } from 'ms'
import { ReaderError } from '../workspace/reader-error.ts'
import { bytesOf } from './bytes.ts'

/** One thing to do in a conversation. */
export type Step =
  | { do: 'send'; bytes: Buffer }
  /** Wait for so long, in ms, or until something has come since the last send. */
  | { do: 'wait'; ms?: number }
  /** Send so many bytes a second from now on, or as fast as it goes. */
  | { do: 'slow'; bytesPerSecond: number | undefined }
  | { do: 'hex' | 'end' | 'reset' | 'help' | 'nothing' }

/** What can stand at the end of a message, by the names that no shell changes. */
const SEPARATORS = new Map([
  ['none', ''],
  ['cr', '\r'],
  ['lf', '\n'],
  ['crlf', '\r\n'],
])

/** The longest time that a timer of Node takes, in ms: 24 days. */
const LONGEST_TIME_MS = 2 ** 31 - 1

/** A command that misses another's name by so many letters was probably meant to be it. */
const TYPO_DISTANCE = 2

/** The most bytes that .zeros makes, and that .slow sends in a second. */
const MOST_BYTES = 100_000_000

interface Command {
  /** How it is called, for the help. */
  usage: string
  /** What it does, for the help. */
  does: string
  step(rest: string, lines: TypedLines): Step
}

const COMMANDS: Record<string, Command> = {
  half: {
    usage: '.half {"msg":"cut in t',
    does: 'sends a text, and nothing at its end',
    step: (rest, lines) => lines.half(rest),
  },
  rest: {
    usage: '.rest wo"}',
    does: 'sends what is missing of it, and the end',
    step: (rest, lines) => lines.rest(rest),
  },
  raw: {
    usage: '.raw one\\rtwo\\x00',
    does: 'sends these bytes, and nothing at their end',
    step: (rest, lines) => lines.raw(rest),
  },
  zeros: {
    usage: '.zeros 2000000',
    does: 'sends so many bytes 0',
    step: (rest) => ({ do: 'send', bytes: Buffer.alloc(numberOf('zeros', rest)) }),
  },
  wait: {
    usage: '.wait 1s',
    does: 'waits; without a time: until something comes',
    step: (rest) => (rest === '' ? { do: 'wait' } : { do: 'wait', ms: timeOf(rest) }),
  },
  slow: {
    usage: '.slow 1',
    does: 'sends so many bytes a second from now on; off: as fast as it goes',
    step: (rest) => ({
      do: 'slow',
      bytesPerSecond: rest === 'off' ? undefined : numberOf('slow', rest, ', or off'),
    }),
  },
  separator: {
    usage: '.separator none',
    does: 'what stands at the end of each message from now on: cr, lf, crlf or none',
    step: (rest, lines) => {
      lines.separator = separatorOf(rest)
      return { do: 'nothing' }
    },
  },
  hex: { usage: '.hex', does: 'shows bytes as numbers, or no longer', step: alone('hex') },
  end: {
    usage: '.end',
    does: 'says that this end sends no more, and waits until the other closes (Ctrl-D)',
    step: alone('end'),
  },
  reset: { usage: '.reset', does: 'breaks the connection off, as a crash does', step: alone('reset') },
  help: { usage: '.help', does: 'says this', step: alone('help') },
}

/** The commands, and what else can be typed: a line each. */
export const HELP: readonly string[] = [
  'A line is a message: it is sent, and the separator after it (\\r, unless you choose another).',
  '{\'msg\':\'hello\'} is sent as {"msg":"hello"}: JSON in single quotes is easier to hand over in a shell.',
  'A line that begins with a dot is a command. To send one, begin it with two dots.',
  ...Object.values(COMMANDS).map(({ usage, does }) => `  ${usage.padEnd(24)} ${does}`),
  'Bytes are shown as .raw takes them: \\r, \\x00, and a backslash as two.',
]

/** The separator that somebody names: `cr`, or `\r`. */
export function separatorOf(name: string): string {
  const found =
    SEPARATORS.get(name.toLowerCase()) ??
    [...SEPARATORS.values()].find((value) => value !== '' && JSON.stringify(value) === `"${name}"`)
  if (found === undefined)
    throw new ReaderError(`"${name}" is no separator. There are cr (\\r), lf (\\n), crlf (\\r\\n) and none.`)
  return found
}

/** Makes steps of lines. It keeps what one line means for the next: the separator, and a message that has begun. */
export class TypedLines {
  /** What is sent at the end of each message. */
  separator: string
  readonly #takesEscapes: boolean
  /** The quotes of the message that a `.half` has begun. */
  #begun: Quotes | undefined

  /** @param raw whether the escapes of every line stand for bytes */
  constructor({ separator, raw }: { separator: string; raw: boolean }) {
    this.separator = separator
    this.#takesEscapes = raw
  }

  /**
   * What a line asks for.
   *
   * @throws ReaderError when it begins with a dot, and is no command, or not a whole one
   */
  stepOf(line: string): Step {
    if (!line.startsWith('.')) return this.#message(line)
    if (line.startsWith('..')) return this.#message(line.slice(1))
    const [, name = '', rest = ''] = /^\.(\S*)(?: (.*))?$/s.exec(line) ?? []
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (command) return command.step(rest, this)
    const names = Object.keys(COMMANDS)
    const nearest = closest(name, names)
    const hint =
      distance(name, nearest) <= TYPO_DISTANCE
        ? `Did you mean .${nearest}?`
        : `There are ${names.map((known) => `.${known}`).join(', ')}.`
    throw new ReaderError(
      `There is no command ".${name}". ${hint} To send a text that begins with a dot, type two dots.`,
    )
  }

  half(text: string): Step {
    this.#begun ??= new Quotes()
    return this.#send(this.#begun.take(text), '')
  }

  rest(text: string): Step {
    if (!this.#begun)
      throw new ReaderError('.rest ends what .half has begun, and nothing is. Say .half TEXT first.')
    return this.#message(text)
  }

  raw(text: string): Step {
    const quotes = this.#begun ?? new Quotes()
    return { do: 'send', bytes: bytesOf(quotes.take(text)) }
  }

  #message(text: string): Step {
    const quotes = this.#begun ?? new Quotes()
    this.#begun = undefined
    return this.#send(quotes.take(text), this.separator)
  }

  #send(text: string, end: string): Step {
    const bytes = this.#takesEscapes ? bytesOf(text) : Buffer.from(text)
    return { do: 'send', bytes: Buffer.concat([bytes, Buffer.from(end)]) }
  }
}

/**
 * The quotes of one message. No two shells agree on how double quotes are handed over inside of an
 * argument, so JSON can be typed with single ones: a message that begins as `{'` or `['` does goes out with
 * double quotes in their place. All others stay as they are.
 */
class Quotes {
  /** How the message begins, as long as that does not tell which of the two it is. */
  #beginning = ''
  #change: boolean | undefined
  /** The quote that the string which has begun will end with. */
  #inside: string | undefined
  #escaped = false

  /** The next part of the message. */
  take(text: string): string {
    if (this.#change === undefined) {
      this.#beginning += text
      if (/^ *[[{]? *$/.test(this.#beginning)) return text
      this.#change = /^ *[[{] *'/.test(this.#beginning)
    }
    return this.#change ? text.replace(/[\s\S]/g, (char) => this.#next(char)) : text
  }

  #next(char: string): string {
    if (this.#escaped) {
      this.#escaped = false
      return char === "'" ? char : `\\${char}`
    }
    if (this.#inside === undefined) {
      if (char === '"' || char === "'") this.#inside = char
    } else if (char === '\\') {
      this.#escaped = true
      return ''
    } else if (char === this.#inside) this.#inside = undefined
    else return char === '"' ? '\\"' : char
    return char === "'" ? '"' : char
  }
}

function alone(name: 'hex' | 'end' | 'reset' | 'help'): (rest: string) => Step {
  return (rest) => {
    if (rest.trim() !== '') throw new ReaderError(`.${name} stands alone, without "${rest}".`)
    return { do: name }
  }
}

function numberOf(name: string, text: string, or = ''): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < 1 || number > MOST_BYTES)
    throw new ReaderError(
      `.${name} takes a number of bytes, from 1 to ${MOST_BYTES}${or}; "${text}" is none.`,
    )
  return number
}

function timeOf(text: string): number {
  const time = /^[\d.]+ ?[a-z]+$/i.test(text) ? ms(text as StringValue) : undefined
  if (time === undefined || !(time >= 0 && time <= LONGEST_TIME_MS))
    throw new ReaderError(`.wait takes a time with its unit, such as 1s, 500ms or 2m; "${text}" is none.`)
  return time
}
