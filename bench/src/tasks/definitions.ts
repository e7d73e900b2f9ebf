/** What the nodes of the benchmark can do: nothing, and a tile of a picture. */
import { defineTasks } from '@rpi-cluster/core/worker'

/** A part of the picture, in pixels. */
export interface Tile {
  x: number
  y: number
}

export const TILE = 80
export const WIDTH = 1_600
export const HEIGHT = 1_200

/** After how many steps a point belongs to the set: few points of a picture take longer than a few steps. */
const MOST_STEPS = 2_000

export const tasks = defineTasks({
  empty: { version: 1, run: () => null },
  tile: { version: 1, run: tile },
})

/** The Mandelbrot set from -2.2 to 1 and from -1.2 to 1.2, a byte a pixel, as base64. */
function tile({ x: left, y: top }: Tile): string {
  const pixels = new Uint8Array(TILE * TILE)
  for (let y = 0; y < TILE; y += 1) {
    for (let x = 0; x < TILE; x += 1) {
      const steps = stepsAt(-2.2 + (3.2 * (left + x)) / WIDTH, -1.2 + (2.4 * (top + y)) / HEIGHT)
      pixels[y * TILE + x] = steps % 256
    }
  }
  return Buffer.from(pixels).toString('base64')
}

function stepsAt(a: number, b: number): number {
  let [x, y, steps] = [0, 0, 0]
  while (x * x + y * y <= 4 && steps < MOST_STEPS) {
    ;[x, y] = [x * x - y * y + a, 2 * x * y + b]
    steps += 1
  }
  return steps
}
