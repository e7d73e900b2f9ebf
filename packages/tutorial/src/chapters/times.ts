/** The line near the top of a chapter's README that says its part, and how long it takes. */
import { toWrite } from '../texts/unwritten.ts'
import { partOf } from './parts.ts'

/** How long a chapter takes, in minutes; 0 where its README does not say. */
export interface Minutes {
  /** To read its README: `pnpm sync` counts its words and lines. */
  reading: number
  /** To run it, and to do its exercises: as its author says. */
  doing: number
}

/** The line, with the minutes to read and what its author says of the rest. */
export const TIMES_LINE = /^Part [IVX]+: .+\. (\d+) minutes? to read, (.+) to run and try\.$/m

/** What a README's text says. */
export function minutesOf(readme: string): Minutes {
  const [, reading = 0, doing = 0] = TIMES_LINE.exec(readme) ?? []
  return { reading: Number(reading), doing: Number(doing) || 0 }
}

/**
 * The line as it is to be.
 *
 * @param doing what its author says: a number of minutes, or nothing yet
 */
export function timesLine(
  chapter: number,
  reading: number,
  doing: string = toWrite('how many minutes'),
): string {
  const { number, title } = partOf(chapter)
  return `Part ${number}: ${title}. ${reading} ${reading === 1 ? 'minute' : 'minutes'} to read, ${doing} to run and try.`
}
