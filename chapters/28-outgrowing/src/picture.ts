/** A picture of the Mandelbrot set, tile by tile: what each task is to draw, and what it brings back. */
import { OperationalError } from '@rpi-cluster/core/lifecycle'

/** What one task is to draw: the input of `mandelbrot`. */
export interface Tile {
  /** Where its first pixel is in the plane, and how far apart two pixels are. */
  left: number
  top: number
  step: number
  /** After how many steps a point counts as one that never leaves. */
  iterations: number
  /** Where it belongs in the picture, and how large it is, in pixels. */
  x: number
  y: number
  width: number
  height: number
  /** How large the whole picture is, in pixels. */
  whole: { width: number; height: number }
}

/** What it brings back: the result of `mandelbrot`. So whoever gets it knows where it belongs. */
export interface DrawnTile extends Pick<Tile, 'x' | 'y' | 'width' | 'height' | 'whole'> {
  /** A byte a pixel, from the first row on, as base64: 0 never leaves; the longer the others stay, the greater they are. */
  pixels: string
}

/** Places that are worth a look: their middle, how much of the plane is seen from left to right, and the iterations. */
export const VIEWS = {
  whole: { x: -0.65, y: 0, across: 3.2, iterations: 1_000 },
  seahorses: { x: -0.7463, y: 0.1102, across: 0.012, iterations: 2_000 },
  elephants: { x: 0.2825, y: 0.0095, across: 0.02, iterations: 2_000 },
  island: { x: -1.762, y: 0, across: 0.08, iterations: 1_000 },
} as const

export type View = keyof typeof VIEWS

export interface PictureOptions {
  /** How wide it is to be, in pixels: 16 to 2,400. */
  width: number
  /** How high. Default: three quarters of that. */
  height?: number
  /** What it shows. Default: `whole`. */
  view?: View
  /** How wide and high a tile is, in pixels: 16 to 500. Those at the right and at the bottom may be smaller. Default: 100. */
  tile?: number
}

/**
 * What a point gets that leaves at once, and how much more one that stays longest. Most leave soon, so that the first few
 * steps have as many shades as the last thousand.
 */
const DARKEST = 56
const SHADES = 199

/** How large a picture may be, in pixels, one way and the other, and how many tiles it may have. */
const MOST_PIXELS = 2_400
const MOST_TILES = 1_000

/**
 * The tiles of a picture, row by row: what to submit.
 *
 * @throws OperationalError when there is no such picture
 */
export function tilesOf({
  width,
  height = Math.round((width * 3) / 4),
  view = 'whole',
  tile = 100,
}: PictureOptions): Tile[] {
  for (const [what, value, least, most] of [
    ['width', width, 16, MOST_PIXELS],
    ['height', height, 12, MOST_PIXELS],
    ['tile', tile, 16, 500],
  ] as const)
    if (!Number.isInteger(value) || value < least || value > most)
      throw new OperationalError(
        `The ${what} is a number of pixels from ${least} to ${most}, and not ${String(value)}.`,
      )
  if (!Object.hasOwn(VIEWS, view))
    throw new OperationalError(
      `The view is one of ${Object.keys(VIEWS).join(', ')}, and not ${String(view)}.`,
    )
  const count = Math.ceil(width / tile) * Math.ceil(height / tile)
  if (count > MOST_TILES)
    throw new OperationalError(`These would be ${count} tiles, and a picture has at most ${MOST_TILES}.`)
  const { x: middle, y: centre, across, iterations } = VIEWS[view]
  const step = across / width
  const tiles: Tile[] = []
  for (let y = 0; y < height; y += tile) {
    for (let x = 0; x < width; x += tile) {
      tiles.push({
        left: middle + (x - width / 2) * step,
        top: centre - (y - height / 2) * step,
        ...{ step, iterations, x, y },
        width: Math.min(tile, width - x),
        height: Math.min(tile, height - y),
        whole: { width, height },
      })
    }
  }
  return tiles
}

/**
 * Draws a tile: how many steps each point takes to leave. It is the same on every machine, to the last byte.
 *
 * @param progress is told after each row which part of it is done, from 0 to 1
 */
export function draw(tile: Tile, progress: (part: number) => void = () => {}): DrawnTile {
  const { left, top, step, iterations, width, height, x, y, whole } = tile
  const pixels = Buffer.alloc(width * height)
  const most = Math.log(iterations)
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const steps = stepsFrom(left + column * step, top - row * step, iterations)
      if (steps < iterations)
        pixels[row * width + column] = DARKEST + Math.floor((SHADES * Math.log(steps)) / most)
    }
    progress((row + 1) / height)
  }
  return { x, y, width, height, whole, pixels: pixels.toString('base64') }
}

/** After how many steps a point is farther away than 2, from where it never comes back: 1 to the most. */
function stepsFrom(x: number, y: number, most: number): number {
  let [a, b] = [0, 0]
  for (let step = 1; step < most; step += 1) {
    ;[a, b] = [a * a - b * b + x, 2 * a * b + y]
    if (a * a + b * b > 4) return step
  }
  return most
}

/** What a task has brought back, if it is a drawn tile. Whoever has sent it, it is inside the picture, and whole. */
export function drawnTileFrom(result: unknown): (Omit<DrawnTile, 'pixels'> & { pixels: Buffer }) | undefined {
  const { x, y, width, height, whole, pixels } = (result ?? {}) as Partial<DrawnTile>
  const isCount = (value: unknown, least: number): value is number =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= MOST_PIXELS
  if (!isCount(x, 0) || !isCount(y, 0) || !isCount(width, 1) || !isCount(height, 1)) return undefined
  if (!isCount(whole?.width, 1) || !isCount(whole.height, 1) || typeof pixels !== 'string') return undefined
  if (x + width > whole.width || y + height > whole.height) return undefined
  const bytes = Buffer.from(pixels, 'base64')
  if (bytes.length !== width * height) return undefined
  return { x, y, width, height, whole: { width: whole.width, height: whole.height }, pixels: bytes }
}
