/**
 * Where each box and each arrow of a picture goes. A picture is as wide as a phone, so that its letters can be read
 * there: rows of boxes, as high as they need to be. What travels inside a row goes from one tall box to the next, one
 * below the other; what travels between two rows goes straight up or down.
 */
import { ReaderError } from '../workspace/reader-error.ts'
import {
  ARROW_MARGIN,
  leastTalkWidth,
  leastWayRoom,
  naturalTalkWidth,
  naturalWayRoom,
  type PlacedArrow,
  placeTalk,
  placeWay,
  talkItems,
  type Way,
  wayOf,
} from './arrows.ts'
import { leastBoxWidth, naturalBoxWidth, PADDING, type PlacedBox, placeBox } from './boxes.ts'
import type { Arrow, Box, Picture } from './picture.ts'
import { sum } from './placed.ts'

/** How wide every picture is, in its own units: pixels on a phone. */
export const WIDTH = 360

export interface Layout {
  height: number
  boxes: PlacedBox[]
  arrows: PlacedArrow[]
}

/** Between the picture's edge and what is in it. */
const MARGIN = 12
const INNER_WIDTH = WIDTH - 2 * MARGIN
/** Between two boxes, or two rows, that nothing travels between. */
const GAP = 14
const LEAST_WAY = 28
/** The width that a text may give a tall box before what travels has all the room that is left. */
const MOST_TALL = 110

/** A row, laid out from left to right. */
interface Row {
  boxes: { box: Box; x: number; width: number }[]
  /** What travels between each box and the next. */
  talks: { arrows: Arrow[]; x: number; width: number; height: number }[]
  /** True when something travels in it. */
  isTalk: boolean
  height: number
}

/**
 * Lays a picture out.
 *
 * @param file how a problem calls the picture
 * @throws ReaderError when there is no room for something, or no straight way between two boxes
 */
export function layOut(picture: Picture, file: string): Layout {
  try {
    return layOutRows(picture)
  } catch (error) {
    if (error instanceof NoRoom) throw new ReaderError(`${file}: ${error.message}`)
    throw error
  }
}

/** What cannot be drawn. */
class NoRoom extends Error {}

function layOutRows({ rows: boxesOfRows, arrows }: Picture): Layout {
  refuseWireWithOthers(boxesOfRows, arrows)
  for (const arrow of arrows) refuseDetours(arrow, boxesOfRows)
  const rows = boxesOfRows.map((boxes, index) => layOutRow(boxes, arrows, index))
  const layout: Layout = { height: 0, boxes: [], arrows: [] }
  let y = MARGIN
  for (const [index, row] of rows.entries()) {
    const above = rows[index - 1]
    if (above) {
      const ways = waysBetween(above, row, arrows)
      const bottom =
        y + (ways.length > 0 ? Math.max(LEAST_WAY, ...ways.map(({ height }) => height + 10)) : GAP)
      layout.arrows.push(...ways.map((way) => placeWay(way, y, bottom)))
      y = bottom
    }
    for (const [place, { box, x, width }] of row.boxes.entries()) {
      layout.boxes.push(placeBox(box, row.isTalk, { x, y, width }, row.height))
      const talk = row.talks[place]
      if (!talk) continue
      const area = { ...talk, y: y + (row.height - talk.height) / 2 }
      layout.arrows.push(...placeTalk(talkItems(talk.arrows, talk.width), area, box.name))
    }
    y += row.height
  }
  return { ...layout, height: Math.ceil(y + MARGIN) }
}

/** A wire is shown as long as it can be, and is what an arrow is made of, not an end of it. */
function refuseWireWithOthers(rows: readonly Box[][], arrows: readonly Arrow[]): void {
  for (const row of rows) {
    const wire = row.find(({ is }) => is === 'wire')
    if (!wire) continue
    if (row.length > 1) throw new NoRoom(`a wire has a row of its own, and ${wire.name} shares one.`)
    if (wire.code.length === 0)
      throw new NoRoom(`a wire shows what goes over it, and ${wire.name} has no code.`)
    if (arrows.some(({ from, to }) => from === wire.name || to === wire.name))
      throw new NoRoom(`an arrow goes between boxes, and ${wire.name} is a wire.`)
  }
}

/** Refuses an arrow that would have to go round a box. */
function refuseDetours({ from, to }: Arrow, rows: readonly Box[][]): void {
  const placeOf = (name: string) => {
    const row = rows.findIndex((boxes) => boxes.some((box) => box.name === name))
    return { row, column: rows[row]?.findIndex((box) => box.name === name) ?? 0 }
  }
  const [one, other] = [placeOf(from), placeOf(to)]
  if (Math.abs(one.row - other.row) > 1)
    throw new NoRoom(
      `an arrow goes from one row to the next, and between ${from} and ${to} there is another.`,
    )
  if (one.row === other.row && Math.abs(one.column - other.column) > 1)
    throw new NoRoom(`an arrow goes to a neighbour, and between ${from} and ${to} there is another box.`)
}

function layOutRow(boxes: Box[], arrows: readonly Arrow[], index: number): Row {
  const between = boxes.slice(1).map((right, place) => {
    const names = [boxes[place]?.name, right.name]
    return arrows.filter(({ from, to }) => names.includes(from) && names.includes(to))
  })
  const isTalk = between.some((talk) => talk.length > 0)
  const { widths, gaps } = widthsOf(boxes, between, isTalk, index)
  const lefts = widths.map((_, place) => MARGIN + sum(widths.slice(0, place)) + sum(gaps.slice(0, place)))
  const talks = between.map((talk, place) => {
    const width = gaps[place] ?? 0
    const height = sum(talkItems(talk, width).map((item) => item.height))
    return { arrows: talk, x: (lefts[place] ?? 0) + (widths[place] ?? 0), width, height }
  })
  const placed = boxes.map((box, place) => ({ box, x: lefts[place] ?? 0, width: widths[place] ?? 0 }))
  const heights = [
    ...placed.map(({ box, x, width }) => placeBox(box, isTalk, { x, y: 0, width }).height),
    ...talks.map(({ height }) => height + 8),
  ]
  return { boxes: placed, talks, isTalk, height: Math.ceil(Math.max(...heights)) }
}

/** How wide each box of a row is, and what is between two. */
function widthsOf(boxes: Box[], between: Arrow[][], isTalk: boolean, index: number) {
  const leastGaps = between.map((talk) => Math.max(GAP, ...talk.map(leastTalkWidth)))
  const most = INNER_WIDTH - sum(leastGaps)
  const withWholeNames = boxes.map((box) => leastBoxWidth(box, isTalk, true))
  const leastWidths =
    sum(withWholeNames) <= most ? withWholeNames : boxes.map((box) => leastBoxWidth(box, isTalk, false))
  const free = most - sum(leastWidths)
  if (free < 0) {
    const names = boxes.map(({ name }) => name).join(', ')
    throw new NoRoom(
      `rows.${index} (${names}) needs a width of ${Math.ceil(INNER_WIDTH - free)}, and there are ${INNER_WIDTH}. Shorten its longest words or its code, or give a box a row of its own.`,
    )
  }
  if (!isTalk) return { widths: levelled(leastWidths, most), gaps: leastGaps }
  // Boxes at the ends of arrows are as wide as each other. Then labels are given room, then what is said in a box.
  const widest = Math.max(...leastWidths)
  const equal = granted(
    leastWidths,
    leastWidths.map(() => widest),
    free,
  )
  const forTalk = granted(
    leastGaps,
    between.map((talk) => Math.max(0, ...talk.map(naturalTalkWidth))),
    equal.rest,
  )
  const forBoxes = granted(
    equal.sizes,
    boxes.map((box) => Math.min(MOST_TALL, naturalBoxWidth(box))),
    forTalk.rest,
  )
  const talks = between.filter((talk) => talk.length > 0).length
  const more = forBoxes.rest / talks
  const gaps = forTalk.sizes.map((gap, place) => (between[place]?.length ? gap + more : gap))
  return { widths: forBoxes.sizes, gaps }
}

/** Sizes, raised to what is wished for, or as near to it as there is room for. */
function granted(sizes: number[], wishes: number[], free: number): { sizes: number[]; rest: number } {
  const more = sizes.map((size, place) => Math.max(0, (wishes[place] ?? 0) - size))
  const share = Math.min(1, free / Math.max(1, sum(more)))
  return {
    sizes: sizes.map((size, place) => size + (more[place] ?? 0) * share),
    rest: free - sum(more) * share,
  }
}

/** Widths that add up to a sum, as equal as their least values allow. */
function levelled(least: number[], total: number): number[] {
  const level = total / least.length
  const wider = least.filter((width) => width > level)
  if (wider.length === 0) return least.map(() => level)
  const others = least.filter((width) => width <= level)
  const rest = levelled(others, total - sum(wider))
  return least.map((width) => (width > level ? width : (rest.shift() ?? level)))
}

/** The arrows between two rows, from left to right, each with its label in the room beside it. */
function waysBetween(above: Row, below: Row, arrows: readonly Arrow[]): Way[] {
  const straight = arrows
    .flatMap((arrow) => {
      const isOfArrow = ({ box }: Row['boxes'][number]) => box.name === arrow.from || box.name === arrow.to
      const upper = above.boxes.find(isOfArrow)
      const lower = below.boxes.find(isOfArrow)
      return upper && lower ? [{ arrow, upper, lower }] : []
    })
    .map(({ arrow, upper, lower }, _, all) => {
      const left = Math.max(upper.x, lower.x)
      const right = Math.min(upper.x + upper.width, lower.x + lower.width)
      if (right - left < 2 * PADDING)
        throw new NoRoom(
          `an arrow goes straight up or down, and ${lower.box.name} does not stand below ${upper.box.name}. Change their places in their rows, or give one a row of its own.`,
        )
      const same = all.filter((way) => way.upper === upper && way.lower === lower)
      const place = same.findIndex((way) => way.arrow === arrow) + 0.5
      const x = left + (place / same.length) * (right - left)
      return { arrow, x, isDown: arrow.from === upper.box.name }
    })
    .toSorted((a, b) => a.x - b.x)
  const sides = bestSides(straight)
  const rooms = roomsBeside(straight, sides)
  return straight.map(({ arrow, ...at }, place) => {
    const room = rooms[place] ?? 0
    if (leastWayRoom(arrow) > room)
      throw new NoRoom(
        `the label of the arrow from ${arrow.from} to ${arrow.to} needs a width of ${Math.ceil(leastWayRoom(arrow))}, and there are ${Math.floor(room)} beside it. Shorten its longest word, or give ${arrow.from} or ${arrow.to} more width.`,
      )
    return wayOf(arrow, { ...at, isLabelRight: sides[place] ?? true }, room)
  })
}

/** For each arrow whether its label stands to the right of it: so that the one with the least room has the most. */
function bestSides(ways: readonly Pick<Way, 'arrow' | 'x'>[]): boolean[] {
  // Where it makes no difference, labels stand on the inner side.
  let best = ways.map(({ x }) => x <= WIDTH / 2)
  let most = -Infinity
  for (const sides of [best, ...allSides(ways.length)]) {
    const missing = roomsBeside(ways, sides).map((room, place) => {
      const { arrow } = ways[place] as Pick<Way, 'arrow'>
      // A broken line is a pity, a word without room is an error.
      return Math.min(0, room - naturalWayRoom(arrow)) + 1000 * Math.min(0, room - leastWayRoom(arrow))
    })
    const least = Math.min(0, ...missing)
    if (least <= most) continue
    most = least
    best = sides
  }
  return best
}

/** All ways in which so many labels can stand to the left and to the right. */
function allSides(count: number): boolean[][] {
  if (count === 0) return [[]]
  return allSides(count - 1).flatMap((sides) => [
    [...sides, true],
    [...sides, false],
  ])
}

/** How much room each label has, between its arrow and the next arrow, or label, or the edge. */
function roomsBeside(ways: readonly Pick<Way, 'arrow' | 'x'>[], sides: readonly boolean[]): number[] {
  return ways.map(({ x }, place) => {
    const isRight = sides[place] ?? true
    const next = isRight ? place + 1 : place - 1
    const other = ways[next]
    if (!other) return (isRight ? WIDTH - MARGIN - x : x - MARGIN) - ARROW_MARGIN
    const distance = Math.abs(other.x - x)
    const isShared = sides[next] !== isRight && naturalWayRoom(other.arrow) > 0
    return (isShared ? distance / 2 : distance) - ARROW_MARGIN
  })
}
