/** What travels between two boxes of a picture: how much room its label needs, and where it goes. */
import { LETTERING, leastWidthOf, widthOf } from './lettering.ts'
import type { Arrow } from './picture.ts'
import {
  type Area,
  besideMark,
  heightOf,
  type Labels,
  type Line,
  linesOf,
  markAt,
  markWidth,
  placeLines,
  quiet,
} from './placed.ts'

export interface PlacedArrow extends Labels {
  from: [x: number, y: number]
  to: [x: number, y: number]
  isLost: boolean
  /** True for what this chapter brings. */
  isNew: boolean
}

/** Between an arrow, or the boxes at its ends, and its label. */
export const ARROW_MARGIN = 8
const LEAST_LENGTH = 60

/** An arrow to the left or to the right, with its label above it, and what is said of it below. */
export interface TalkItem {
  arrow: Arrow
  mark: string | undefined
  above: Line[]
  below: Line[]
  height: number
}

/** What travels between two neighbours, one below the other. Of equal marks that follow each other the first is shown. */
export function talkItems(talk: readonly Arrow[], width: number): TalkItem[] {
  const room = width - 2 * ARROW_MARGIN
  return talk.map((arrow, place) => {
    const { text, code } = arrow
    const mark = arrow.mark === talk[place - 1]?.mark ? undefined : arrow.mark
    const above = code.length > 0 ? linesOf(code, room, 'code') : linesOf(text, room, 'text')
    const below = code.length > 0 ? quiet(linesOf(text, room - besideMark(mark), 'text')) : []
    const belowHeight = Math.max(heightOf(below), mark === undefined ? 0 : LETTERING.mark.line)
    return { arrow, mark, above, below, height: 4 + heightOf(above) + 10 + belowHeight + 3 }
  })
}

/** Places the arrows between two neighbours in the room between them. */
export function placeTalk(
  items: readonly TalkItem[],
  { x, y: top, width }: Area,
  left: string,
): PlacedArrow[] {
  let y = top
  return items.map(({ arrow, mark, above, below, height }) => {
    const middle = x + width / 2
    const line = y + 4 + heightOf(above) + 5
    const labels = placeLines(above, { x: middle, y: y + 4, anchor: 'middle' })
    const notes = placeLines(below, { x: middle, y: line + 4, anchor: 'middle', mark })
    y += height
    const isToTheRight = arrow.from === left
    return {
      from: [isToTheRight ? x : x + width, line],
      to: [isToTheRight ? x + width : x, line],
      isLost: arrow.lost,
      isNew: arrow.mark !== undefined,
      texts: [...labels.texts, ...notes.texts],
      marks: notes.marks,
    }
  })
}

/** The least distance of two neighbours at which each word of what travels between them has room. */
export function leastTalkWidth({ text, code, mark }: Arrow): number {
  const beside = code.length > 0 ? besideMark(mark) : 0
  const words = [
    ...code.map((part) => leastWidthOf(part, 'code')),
    ...text.map((part) => leastWidthOf(part, 'text') + beside),
  ]
  return Math.max(LEAST_LENGTH, ...words.map((width) => width + 2 * ARROW_MARGIN))
}

/** The distance of two neighbours at which nothing of what travels between them is broken into lines. */
export function naturalTalkWidth({ text, code, mark }: Arrow): number {
  const beside = code.length > 0 ? besideMark(mark) : 0
  const lines = [
    ...code.map((part) => widthOf(part, 'code')),
    ...text.map((part) => widthOf(part, 'text') + beside),
  ]
  return Math.max(LEAST_LENGTH, ...lines.map((width) => width + 2 * ARROW_MARGIN + 1))
}

/** An arrow up or down, with its label beside it. */
export interface Way {
  arrow: Arrow
  x: number
  isDown: boolean
  isLabelRight: boolean
  lines: Line[]
  height: number
}

/** The label of an arrow up or down, in the room beside it. */
export function wayOf(arrow: Arrow, at: Pick<Way, 'x' | 'isDown' | 'isLabelRight'>, room: number): Way {
  const { text, code, mark } = arrow
  const said = linesOf(text, room, 'text')
  const lines = [...linesOf(code, room, 'code'), ...(code.length > 0 ? quiet(said) : said)]
  return { arrow, ...at, lines, height: markHeight(mark) + heightOf(lines) }
}

/** The least room that a label needs beside its arrow. */
export function leastWayRoom({ text, code, mark }: Arrow): number {
  const words = [
    ...code.map((part) => leastWidthOf(part, 'code')),
    ...text.map((part) => leastWidthOf(part, 'text')),
  ]
  return Math.max(markWidth(mark), ...words)
}

/** The room beside its arrow in which nothing of a label is broken into lines. */
export function naturalWayRoom({ text, code, mark }: Arrow): number {
  const lines = [...code.map((part) => widthOf(part, 'code')), ...text.map((part) => widthOf(part, 'text'))]
  return Math.max(markWidth(mark), ...lines)
}

/** Places an arrow up or down between two rows. */
export function placeWay(
  { arrow, x, isDown, isLabelRight, lines, height }: Way,
  top: number,
  bottom: number,
): PlacedArrow {
  const { mark } = arrow
  const labelTop = (top + bottom - height) / 2 - 1
  const labelX = isLabelRight ? x + ARROW_MARGIN : x - ARROW_MARGIN
  const { texts } = placeLines(lines, {
    x: labelX,
    y: labelTop + markHeight(mark),
    anchor: isLabelRight ? 'start' : 'end',
  })
  const markX = isLabelRight ? labelX : labelX - markWidth(mark)
  return {
    from: [x, isDown ? top : bottom],
    to: [x, isDown ? bottom : top],
    isLost: arrow.lost,
    isNew: mark !== undefined,
    texts,
    marks: mark === undefined ? [] : [markAt(mark, markX, labelTop)],
  }
}

function markHeight(mark: string | undefined): number {
  return mark === undefined ? 0 : LETTERING.mark.line
}
