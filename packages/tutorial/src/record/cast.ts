/**
 * A terminal session as text: asciicast v2 (https://docs.asciinema.org/manual/asciicast/v2/), which
 * asciinema-player plays. A line of JSON about the terminal, then a line for each piece of output.
 */
import { stripVTControlCharacters } from 'node:util'

export interface Cast {
  header: {
    version: 2
    /** Columns. */
    width: number
    /** Rows. */
    height: number
    /** When it was recorded, in seconds since 1970. */
    timestamp: number
    title: string
    env: Record<string, string>
  }
  /** Seconds since the recording's zero, `o` for output, and what was printed. */
  events: [at: number, type: 'o', text: string][]
}

/** A line that the terminal showed, and when it was whole, in seconds. */
export interface CastLine {
  at: number
  /** Without colours. */
  text: string
  /** As it was printed. */
  raw: string
}

/** The recording as the lines of its file. */
export function castText({ header, events }: Cast): string {
  return [header, ...events].map((line) => `${JSON.stringify(line)}\n`).join('')
}

/** The recording that a file holds. */
export function readCast(text: string): Cast {
  const [header, ...events] = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  return { header, events }
}

/** The lines that the terminal showed; one that is not ended yet is left out. */
export function castLines({ events }: Cast): CastLine[] {
  const lines: CastLine[] = []
  let begun = ''
  for (const [at, , text] of events) {
    const whole = `${begun}${text}`.split('\r\n')
    begun = whole.pop() ?? ''
    for (const raw of whole) lines.push({ at, text: stripVTControlCharacters(raw), raw })
  }
  return lines
}
