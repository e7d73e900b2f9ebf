/** A box of a picture: how much room it needs, and where what is in it goes. */
import { LETTERING, leastWidthOf, widthOf } from './lettering.ts'
import type { Box } from './picture.ts'
import {
  type Area,
  BESIDE,
  besideMark,
  heightOf,
  type Labels,
  linesOf,
  markAt,
  markWidth,
  placeLines,
  quiet,
  sum,
} from './placed.ts'

export interface PlacedBox extends Area, Labels {
  is: Box['is']
  /** True for what this chapter brings. */
  isNew: boolean
  icon: { x: number; y: number }
  /** What goes over a wire, side by side. */
  pieces: PlacedPiece[]
}

/** A part of what goes over a wire. */
export interface PlacedPiece extends Area {
  text: string
  /** True for what ends another piece: an escape, such as `\r`. */
  isSeparator: boolean
}

/** Between a box's edge and what is in it. */
export const PADDING = 9
/** How large the folded corner of a file is. */
export const FOLD = 12
const LEAST_WIDTH = 60
const ICON = 16
const PIECE_HEIGHT = 26
const PIECE_PADDING = 6

/**
 * The least width in which everything in a box has room.
 *
 * @param isTall it stands at one end of what travels in its row, so all is below each other
 * @param isNameWhole its name is in one line
 */
export function leastBoxWidth(
  { is, name, mark, text, code }: Box,
  isTall: boolean,
  isNameWhole: boolean,
): number {
  if (is === 'wire') {
    const words = text.map((part) => leastWidthOf(part, 'text'))
    return Math.max(widthOf(name, 'text') + besideMark(mark), sum(code.map(pieceWidth)), ...words)
  }
  const nameWidth = isNameWhole ? widthOf(name, 'name') : leastWidthOf(name, 'name')
  const heading = isTall
    ? Math.max(nameWidth, markWidth(mark))
    : ICON + BESIDE + nameWidth + besideMark(mark) + besideFold(is)
  const words = [
    ...text.map((part) => leastWidthOf(part, 'text')),
    ...code.map((part) => leastWidthOf(part, 'code')),
  ]
  return Math.max(LEAST_WIDTH, ...[heading, ...words].map((width) => width + 2 * PADDING))
}

/** The width of a tall box in which nothing has to be broken into lines. */
export function naturalBoxWidth({ name, text, code }: Box): number {
  const lines = [
    widthOf(name, 'name'),
    ...text.map((part) => widthOf(part, 'text')),
    ...code.map((part) => widthOf(part, 'code')),
  ]
  return Math.max(...lines) + 2 * PADDING
}

/** Places a box, with what is in it. Without a height it is as high as it needs to be. */
export function placeBox(box: Box, isTall: boolean, at: Omit<Area, 'height'>, height?: number): PlacedBox {
  if (box.is === 'wire') return placeWire(box, at)
  return isTall ? placeTall(box, at, height) : placeFlat(box, at, height)
}

/** Icon, name, mark and text below each other, in the middle. */
function placeTall(
  { is, name, mark, text, code }: Box,
  at: Omit<Area, 'height'>,
  height?: number,
): PlacedBox {
  const room = at.width - 2 * PADDING
  const heading = linesOf([name], room, 'name')
  const said = [...linesOf(text, room, 'text'), ...linesOf(code, room, 'code')]
  const iconHeight = ICON + 4
  const markHeight = mark === undefined ? 0 : LETTERING.mark.line + 3
  const gap = said.length > 0 ? 4 : 0
  const contentHeight = iconHeight + heightOf(heading) + markHeight + gap + heightOf(said)
  const boxHeight = height ?? contentHeight + 2 * PADDING

  const middle = at.x + at.width / 2
  const top = at.y + (boxHeight - contentHeight) / 2
  const afterName = top + iconHeight + heightOf(heading)
  return {
    is,
    ...at,
    height: boxHeight,
    isNew: mark !== undefined,
    icon: { x: middle - ICON / 2, y: top },
    texts: [
      ...placeLines(heading, { x: middle, y: top + iconHeight, anchor: 'middle' }).texts,
      ...placeLines(said, { x: middle, y: afterName + markHeight + gap, anchor: 'middle' }).texts,
    ],
    marks: mark === undefined ? [] : [markAt(mark, middle - markWidth(mark) / 2, afterName + 2)],
    pieces: [],
  }
}

/** Icon, name and mark in the first line, and the text below. */
function placeFlat(
  { is, name, mark, text, code }: Box,
  at: Omit<Area, 'height'>,
  height?: number,
): PlacedBox {
  const room = at.width - 2 * PADDING
  const left = at.x + PADDING
  const top = at.y + PADDING - 1
  const headingRoom = room - ICON - BESIDE - besideMark(mark) - besideFold(is)
  const heading = linesOf([name], headingRoom, 'name')
  const said = [...linesOf(text, room, 'text'), ...linesOf(code, room, 'code')]
  const saidTop = top - 1 + heightOf(heading) + (said.length > 0 ? 4 : 0)
  const markLeft = left + room - besideFold(is) - markWidth(mark)
  return {
    is,
    ...at,
    height: height ?? saidTop + heightOf(said) + PADDING - 1 - at.y,
    isNew: mark !== undefined,
    icon: { x: left, y: top },
    texts: [
      ...placeLines(heading, { x: left + ICON + BESIDE, y: top - 1, anchor: 'start' }).texts,
      ...placeLines(said, { x: left, y: saidTop, anchor: 'start' }).texts,
    ],
    marks: mark === undefined ? [] : [markAt(mark, markLeft, top)],
    pieces: [],
  }
}

/** What a wire is called, the pieces that go over it side by side, and what is said of them. */
function placeWire({ is, name, mark, text, code }: Box, { x, y, width }: Omit<Area, 'height'>): PlacedBox {
  const heading = placeLines([{ text: name, lettering: 'text', isQuiet: true }], {
    x,
    y,
    anchor: 'start',
    mark,
  })
  const top = y + LETTERING.text.line + 5
  const free = width - sum(code.map(pieceWidth))
  const texts = code.filter((piece) => !isSeparator(piece)).length
  let left = x
  const pieces = code.map((piece): PlacedPiece => {
    const more = isSeparator(piece) ? 0 : free / texts
    const area = { x: left, y: top, width: pieceWidth(piece) + more, height: PIECE_HEIGHT }
    left += area.width
    return { ...area, text: piece, isSeparator: isSeparator(piece) }
  })
  const bottom = top + PIECE_HEIGHT
  const said = quiet(linesOf(text, width, 'text'))
  return {
    is,
    x,
    y,
    width,
    height: bottom + (said.length > 0 ? 3 + heightOf(said) : 0) - y,
    isNew: mark !== undefined,
    icon: { x, y },
    texts: [...heading.texts, ...placeLines(said, { x, y: bottom + 3, anchor: 'start' }).texts],
    marks: heading.marks,
    pieces,
  }
}

function isSeparator(piece: string): boolean {
  return piece.startsWith('\\')
}

function pieceWidth(piece: string): number {
  return widthOf(piece, 'code') + 2 * PIECE_PADDING
}

/** What the folded corner of a file takes of its first line. */
function besideFold(is: Box['is']): number {
  return is === 'file' ? FOLD - PADDING + 5 : 0
}
