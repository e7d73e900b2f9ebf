/**
 * Where in a program a reader is: which piece of the text, which line of the code or of the changes stands where one
 * reads. All three have the file's name in `data-file`, and a line's number in `data-n`.
 */

export interface Place {
  file: string
  /** Counted from 1 in the newer file. */
  line: number
  /** How far from the top of the window it is, in CSS pixels. */
  top: number
}

/** The place that a view shows where one reads; nothing where it shows no program. */
export function placeIn(view: HTMLElement): Place | undefined {
  const reading = readingLine()
  const block = blocksIn(view).find((one) => one.getBoundingClientRect().bottom > reading)
  // Further down stands a program that is not being read yet.
  if (!block || block.getBoundingClientRect().top > innerHeight * 0.9) return undefined
  const line =
    linesIn(block).find((one) => one.getBoundingClientRect().bottom > reading) ?? linesIn(block).at(-1)
  const { top } = (line ?? block).getBoundingClientRect()
  return { file: block.dataset['file'] ?? '', line: line ? numberOf(line) : 1, top }
}

/** Scrolls so that a place is where it was in another view. Says whether the view has it. */
export function goTo({ file, line, top }: Place, view: HTMLElement): boolean {
  const blocks = blocksIn(view).filter((one) => one.dataset['file'] === file)
  const lines = blocks.flatMap(linesIn)
  const target =
    lines.find((one) => numberOf(one) === line) ??
    lines.toSorted((a, b) => Math.abs(numberOf(a) - line) - Math.abs(numberOf(b) - line))[0] ??
    blocks[0]
  if (!target) return false
  scrollBy({ top: target.getBoundingClientRect().top - Math.max(top, readingLine()), behavior: 'instant' })
  return true
}

export function isSame(one: Place | undefined, other: Place | undefined): boolean {
  return one?.file === other?.file && one?.line === other?.line
}

/** The piece of a program that is read, or whose explanation is. */
export function pieceIn(view: HTMLElement): HTMLElement | undefined {
  const reading = readingLine()
  const piece = blocksIn(view).find((one) => one.getBoundingClientRect().bottom > reading + 40)
  return piece && piece.getBoundingClientRect().top < innerHeight * 0.8 ? piece : undefined
}

/** The numbers of the lines that a piece shows. */
export function numbersIn(piece: HTMLElement): Set<number> {
  return new Set(linesIn(piece).map(numberOf))
}

/** What is above it lies beneath the bars that stay on top, in CSS pixels. */
function readingLine(): number {
  const page = document.querySelector('.chapter-page')
  return page ? Number.parseFloat(getComputedStyle(page).scrollMarginTop) : 0
}

function blocksIn(view: HTMLElement): HTMLElement[] {
  return [...view.querySelectorAll<HTMLElement>('[data-file]')].filter((one) => one.checkVisibility())
}

function linesIn(block: HTMLElement): HTMLElement[] {
  return [...block.querySelectorAll<HTMLElement>('[data-n]')].filter((one) => one.checkVisibility())
}

const numberOf = (line: HTMLElement) => Number(line.dataset['n'])
