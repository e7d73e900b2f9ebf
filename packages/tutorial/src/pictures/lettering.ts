/**
 * How much room a text takes, and where it is broken into lines. Nobody knows which font a reader has, so it is
 * counted in that of the widest letters that a phone or a desktop is likely to show (DejaVu Sans, Verdana).
 */

/** The kinds of lettering in a picture: what each is for, its size and the distance of its lines, in units of the picture. */
export const LETTERING = {
  /** What a box is called. */
  name: { size: 14, line: 18, isBold: true, isCode: false },
  text: { size: 13, line: 17, isBold: false, isCode: false },
  /** What is shown to the letter. */
  code: { size: 12, line: 16, isBold: false, isCode: true },
  /** The word that marks what is new. */
  mark: { size: 11, line: 16, isBold: true, isCode: false },
} as const

export type Lettering = keyof typeof LETTERING

/** How wide letters are, as a part of their size; the first that has the letter counts. */
const WIDTHS: readonly [letters: RegExp, width: number][] = [
  [/[ijl'|.,:;!`I]/, 0.33],
  [/[frt()[\]{}/\\"\- ]/, 0.41],
  [/[mwMW%@]/, 0.98],
  [/[A-Z→…]/, 0.73],
  [/[\s\S]/, 0.635],
]

/** In a font for code all letters are as wide as each other. */
const CODE_WIDTH = 0.602

const BOLD = 1.11

/** The width of a text, in units of the picture. */
export function widthOf(text: string, lettering: Lettering): number {
  const { size, isBold, isCode } = LETTERING[lettering]
  const letters = [...text]
  if (isCode) return letters.length * CODE_WIDTH * size
  const parts = letters.map((letter) => WIDTHS.find(([of]) => of.test(letter))?.[1] ?? 1)
  return parts.reduce((sum, part) => sum + part, 0) * size * (isBold ? BOLD : 1)
}

/** The width of its longest word: the least room that it can be given. Code that is aligned by spaces is one word. */
export function leastWidthOf(text: string, lettering: Lettering): number {
  return Math.max(...wordsOf(text).map((word) => widthOf(word, lettering)))
}

/** A text in lines of at most a width, broken between words. */
export function brokenInto(width: number, text: string, lettering: Lettering): string[] {
  const lines: string[] = []
  for (const word of wordsOf(text)) {
    const longer = `${lines.at(-1)} ${word}`
    if (lines.length > 0 && widthOf(longer, lettering) <= width) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

function wordsOf(text: string): string[] {
  return text.includes('  ') ? [text] : text.split(' ')
}
