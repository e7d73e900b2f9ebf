/** The pictures that the cluster draws, as far as they are there: the newest four, whoever has handed them in. */
import type { TaskClient, TaskState } from '@rpi-cluster/core/tasks'
import { type DrawnTile, drawnTileFrom, type Tile } from './picture.ts'
import { type PaintedTile, pngOf } from './png.ts'

/** The name of the tasks that draw tiles. */
export const DRAWS = 'mandelbrot'

/** How many pictures are kept. */
const MOST_KEPT = 4

/** A picture, and its tiles by where they are. */
export interface Picture {
  group: string
  width: number
  height: number
  tiles: Map<string, PaintedTile>
}

export class Pictures {
  /** Is told of each tile that has come; without one, of a picture that has begun. */
  onChange: (picture: Picture, tile?: PaintedTile) => void = () => {}
  readonly #kept = new Map<string, Picture>()
  readonly #pngs = new WeakMap<Picture, { count: number; png: Uint8Array }>()

  get(group: string): Picture | undefined {
    return this.#kept.get(group)
  }

  /** From the oldest to the newest. */
  list(): Picture[] {
    return [...this.#kept.values()]
  }

  /** Somebody has handed in a picture: there is nothing of it yet. */
  begin(group: string, { whole }: Pick<Tile, 'whole'>): Picture {
    const known = this.#kept.get(group)
    if (known) return known
    const picture: Picture = { group, ...whole, tiles: new Map() }
    this.#kept.set(group, picture)
    for (const oldest of this.#kept.values()) {
      if (this.#kept.size <= MOST_KEPT) break
      this.#kept.delete(oldest.group)
    }
    this.onChange(picture)
    return picture
  }

  /** The handler of `task_end`, and what `task_states` says: a tile, or something else. */
  readonly take = (end: unknown): void => {
    const { name, group, node, state, result } = (end ?? {}) as Partial<TaskState>
    if (name !== DRAWS || state !== 'done' || group === undefined || node === undefined) return
    const drawn = drawnTileFrom(result)
    if (!drawn) return
    const picture = this.begin(group, drawn)
    if (picture.width !== drawn.whole.width || picture.height !== drawn.whole.height) return
    const place = placeOf(drawn)
    if (picture.tiles.has(place)) return
    const { x, y, width, height, pixels } = drawn
    const tile = { x, y, width, height, pixels, node }
    picture.tiles.set(place, tile)
    this.onChange(picture, tile)
  }

  /** Asks for the tiles of the newest pictures among some groups. */
  async catchUp(tasks: TaskClient, groups: readonly { group: string; name: string }[]) {
    const newest = groups.filter(({ name }) => name === DRAWS).slice(-MOST_KEPT)
    for (const { group } of newest) for (const state of await tasks.states({ group })) this.take(state)
  }

  /** A picture as PNG, as far as it is there. Made again only when there is more of it. */
  png(picture: Picture): Uint8Array {
    const { width, height, tiles } = picture
    const made = this.#pngs.get(picture)
    if (made?.count === tiles.size) return made.png
    const png = pngOf(width, height, [...tiles.values()])
    this.#pngs.set(picture, { count: tiles.size, png })
    return png
  }
}

/** What a tile is called: `300-200` begins 300 pixels from the left, and 200 from the top. */
export function placeOf({ x, y }: Pick<DrawnTile, 'x' | 'y'>): string {
  return `${x}-${y}`
}
