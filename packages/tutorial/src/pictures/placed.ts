/** Lines of text and marks in their places: what boxes and arrows of a picture are labelled with. */
import { brokenInto, LETTERING, type Lettering, widthOf } from './lettering.ts'

/** A rectangle. All lengths are in units of the picture. */
export interface Area {
  x: number
  y: number
  width: number
  height: number
}

/** A line of text, without a place yet. */
export interface Line {
  text: string
  lettering: Lettering
  /** True for what is said about the thing itself, rather than being it. */
  isQuiet: boolean
}

/** A line of text in its place. */
export interface PlacedText extends Line {
  x: number
  /** Where the letters stand. */
  y: number
  anchor: 'start' | 'middle' | 'end'
}

/** The word that marks what is new, in its place. */
export interface PlacedMark extends Area {
  text: string
}

/** What a box or an arrow is labelled with. */
export interface Labels {
  texts: PlacedText[]
  marks: PlacedMark[]
}

/** Between a mark, or an icon, and what stands beside it. */
export const BESIDE = 6

/** Texts, broken into lines of at most a width. */
export function linesOf(texts: readonly string[], width: number, lettering: Lettering): Line[] {
  return texts
    .flatMap((text) => brokenInto(width, text, lettering))
    .map((text) => ({ text, lettering, isQuiet: false }))
}

export function quiet(lines: readonly Line[]): Line[] {
  return lines.map((line) => ({ ...line, isQuiet: true }))
}

export function heightOf(lines: readonly Line[]): number {
  return sum(lines.map(({ lettering }) => LETTERING[lettering].line))
}

/** Places lines below each other, the first of them after a mark if there is one. */
export function placeLines(
  lines: readonly Line[],
  { x, y, anchor, mark }: Pick<PlacedText, 'x' | 'y' | 'anchor'> & { mark?: string | undefined },
): Labels {
  let top = y
  const texts = lines.map((line, place): PlacedText => {
    const { size, line: height } = LETTERING[line.lettering]
    // Capitals are about 0.72 of the size high, and stand in the middle of their line.
    const baseline = top + (height + size * 0.72) / 2
    top += height
    const shift = place > 0 || anchor === 'end' ? 0 : besideMark(mark) / (anchor === 'middle' ? 2 : 1)
    return { ...line, x: x + shift, y: baseline, anchor }
  })
  if (mark === undefined) return { texts, marks: [] }
  const [first] = lines
  const beside = first ? widthOf(first.text, first.lettering) + BESIDE : 0
  const left = anchor === 'middle' ? x - (markWidth(mark) + beside) / 2 : x
  return { texts, marks: [markAt(mark, left, y)] }
}

export function markAt(text: string, x: number, y: number): PlacedMark {
  return { text, x, y, width: markWidth(text), height: LETTERING.mark.line }
}

export function markWidth(mark: string | undefined): number {
  return mark === undefined ? 0 : widthOf(mark, 'mark') + 10
}

/** What a mark takes of the line that it stands in. */
export function besideMark(mark: string | undefined): number {
  return mark === undefined ? 0 : markWidth(mark) + BESIDE
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
