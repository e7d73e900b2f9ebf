/** The parts of the series, to its end: which chapters each has, and what its reader can do then. */
import { ReaderError } from '../workspace/reader-error.ts'

export interface Part {
  /** As it is written: `I`, `II`... */
  number: string
  title: string
  /** The number of its first chapter. */
  first: number
  /** The number of its last chapter; it may be still to come. */
  last: number
  /** What a reader can do at its end: the rest of a sentence that begins "At its end you can". */
  atItsEnd: string
}

/** All parts, in their order. The chapters of the later ones are still to come. */
export const PARTS: readonly Part[] = [
  {
    number: 'I',
    title: 'A message',
    first: 1,
    last: 6,
    atItsEnd: 'make two programs talk, and read every byte',
  },
  {
    number: 'II',
    title: 'A cluster that stays up',
    first: 7,
    last: 13,
    atItsEnd: 'pull any cable, kill any node, and watch it heal',
  },
  {
    number: 'III',
    title: 'A cluster you can see',
    first: 14,
    last: 18,
    atItsEnd: 'open a page and see every node live, and its last weeks',
  },
  {
    number: 'IV',
    title: 'A cluster you can trust',
    first: 19,
    last: 23,
    atItsEnd: 'leave it running on a network with strangers in it',
  },
  {
    number: 'V',
    title: 'A cluster that works',
    first: 24,
    last: 28,
    atItsEnd: 'hand it work, lose the leader, lose nothing, and know when to move to an engine',
  },
]

/**
 * The part that a chapter belongs to.
 *
 * @throws ReaderError when none has a chapter of that number
 */
export function partOf(chapter: number): Part {
  const part = PARTS.find(({ first, last }) => first <= chapter && chapter <= last)
  if (part) return part
  throw new ReaderError(
    `No part of the series has a chapter ${chapter}. They stand in packages/tutorial/src/chapters/parts.ts.`,
  )
}

/**
 * What is still to come after the newest chapter, in a sentence; nothing at the series' end.
 *
 * @param newest the number of the newest chapter
 */
export function stillToCome(newest: number): string | undefined {
  const parts = PARTS.filter(({ last }) => last > newest).map(({ number, title, first, last }) => {
    const from = Math.max(first, newest + 1)
    const rest = from > first ? `the rest of part ${number}` : `part ${number}`
    const chapters = from === last ? twoDigits(last) : `${twoDigits(from)} to ${twoDigits(last)}`
    return `${rest}, ${title.replace(/^A/, 'a')} (${chapters})`
  })
  return parts.length > 0 ? `Still to come: ${parts.join('; ')}.` : undefined
}

/** A chapter's number as it is written: `03`. */
export function twoDigits(number: number): string {
  return String(number).padStart(2, '0')
}
