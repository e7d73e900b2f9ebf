/**
 * Lists that a task is put into and taken out of, from anywhere in them, at the same small cost: what waits, what rests, what
 * has ended. A hundred thousand are no slower than ten.
 *
 * @since 0.24.0
 */

/**
 * What can be in a list: one at a time.
 *
 * @internal
 */
export interface Linked<Item> {
  previous: Item | undefined
  next: Item | undefined
  /** The list that it is in. */
  list: { remove(item: Item): void } | undefined
}

/**
 * A list that its items themselves hold together.
 *
 * @internal
 */
export class LinkedList<Item extends Linked<Item>> {
  first: Item | undefined
  last: Item | undefined
  size = 0

  /** Puts an item behind all others. It must be in no list. */
  push(item: Item): void {
    item.list = this
    item.previous = this.last
    item.next = undefined
    if (this.last) this.last.next = item
    else this.first = item
    this.last = item
    this.size += 1
  }

  /** Puts an item before all others. It must be in no list. */
  unshift(item: Item): void {
    item.list = this
    item.next = this.first
    item.previous = undefined
    if (this.first) this.first.previous = item
    else this.last = item
    this.first = item
    this.size += 1
  }

  /** Takes an item out, if it is in this list. */
  remove(item: Item): void {
    if (item.list !== this) return
    if (item.previous) item.previous.next = item.next
    else this.first = item.next
    if (item.next) item.next.previous = item.previous
    else this.last = item.previous
    item.previous = undefined
    item.next = undefined
    item.list = undefined
    this.size -= 1
  }

  *[Symbol.iterator](): Generator<Item, void, void> {
    for (let item = this.first; item; ) {
      // Who looks at it may take it out.
      const { next } = item
      yield item
      item = next
    }
  }
}

/**
 * Items by the moment at which each is due: the earliest is found at once. (A binary heap.)
 *
 * @internal
 */
export class DueTimes<Item> {
  readonly #heap: { at: number; item: Item }[] = []

  get size(): number {
    return this.#heap.length
  }

  /** When the earliest is due; nothing when there is none. */
  get next(): number | undefined {
    return this.#heap[0]?.at
  }

  add(at: number, item: Item): void {
    const heap = this.#heap
    let index = heap.length
    const added = { at, item }
    heap.push(added)
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent] as { at: number; item: Item }
      if (above.at <= at) break
      heap[index] = above
      index = parent
    }
    heap[index] = added
  }

  /** Takes the earliest out, if it is due by now. */
  take(now: number): Item | undefined {
    const heap = this.#heap
    const [first] = heap
    if (!first || first.at > now) return undefined
    const last = heap.pop()
    if (last && heap.length > 0) this.#sink(last)
    return first.item
  }

  #sink(entry: { at: number; item: Item }): void {
    const heap = this.#heap
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      const left = heap[child]
      if (!left) break
      const right = heap[child + 1]
      if (right && right.at < left.at) child += 1
      const below = heap[child] as { at: number; item: Item }
      if (below.at >= entry.at) break
      heap[index] = below
      index = child
    }
    heap[index] = entry
  }
}
