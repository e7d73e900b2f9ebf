/** Tiles as PNG, each in the colour of the node that drew it. */
import type { TaskEnd } from '@rpi-cluster/core/tasks'
import { encode } from 'fast-png'
import { type Colour, colourOf } from './colours.ts'
import { drawnTileFrom } from './picture.ts'

/** A tile that somebody has drawn. */
export interface PaintedTile {
  x: number
  y: number
  width: number
  height: number
  /** A byte a pixel, from the first row on. */
  pixels: Uint8Array
  node: string
}

/** The tiles that tasks have brought. */
export function paintedTiles(ends: readonly TaskEnd[]): PaintedTile[] {
  return ends.flatMap(({ result, node = '' }) => {
    const tile = drawnTileFrom(result)
    return tile ? [{ ...tile, node }] : []
  })
}

/** How many colours a picture has, of which the first is none: what nobody has drawn yet is transparent. */
const COLOURS = 256
const NONE = [0, 0, 0, 0]

/** What never leaves, and what takes longest to. */
const DARK: Colour = [10, 10, 16]
const LIGHT: Colour = [255, 255, 255]

/** The whole of what is there, with the other nodes' tiles in theirs. The more nodes, the fewer shades each has. */
export function pngOf(width: number, height: number, tiles: readonly PaintedTile[]): Uint8Array {
  const nodes = [...new Set(tiles.map(({ node }) => node))].slice(0, COLOURS - 1)
  const shades = Math.max(1, Math.floor((COLOURS - 1) / Math.max(1, nodes.length)))
  const palette = [NONE, ...nodes.flatMap((node) => shadesOf(colourOf(node), shades))]
  const data = new Uint8Array(width * height)
  for (const tile of tiles) {
    const first = 1 + Math.max(0, nodes.indexOf(tile.node)) * shades
    for (let row = 0; row < tile.height; row += 1) {
      const to = (tile.y + row) * width + tile.x
      const from = row * tile.width
      for (let column = 0; column < tile.width; column += 1) {
        const value = tile.pixels[from + column] ?? 0
        data[to + column] = first + ((value * shades) >> 8)
      }
    }
  }
  // Level 1 takes half the time of the default, and makes it a twentieth larger.
  return encode({ width, height, data, channels: 1, depth: 8, palette }, { zlib: { level: 1 } })
}

/** From dark over the colour to light. */
function shadesOf(colour: Colour, count: number): number[][] {
  return Array.from({ length: count }, (_, index) => {
    const part = count === 1 ? 0.5 : index / (count - 1)
    const [from, to, share] = part < 0.5 ? [DARK, colour, part * 2] : [colour, LIGHT, part * 2 - 1]
    return [0, 1, 2]
      .map((each) => Math.round((from[each] ?? 0) + ((to[each] ?? 0) - (from[each] ?? 0)) * share))
      .concat(255)
  })
}
