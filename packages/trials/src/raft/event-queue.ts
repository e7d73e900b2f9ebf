/** What is going to happen, in the order of its time: a binary heap. What happens at the same time does so in the order it was put in. */
export class EventQueue<Event> {
  readonly #heap: { at: number; order: number; event: Event }[] = []
  #order = 0

  /** When the next one is, and never if there is none. */
  get nextAt(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY
  }

  put(at: number, event: Event): void {
    const heap = this.#heap
    this.#order += 1
    const entry = { at, order: this.#order, event }
    let index = heap.length
    heap.push(entry)
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent] as typeof entry
      if (isBefore(above, entry)) break
      heap[index] = above
      index = parent
    }
    heap[index] = entry
  }

  take(): Event | undefined {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop()
    if (!first || !last || heap.length === 0) return first?.event
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      const left = heap[child]
      if (!left) break
      const right = heap[child + 1]
      if (right && isBefore(right, left)) child += 1
      const least = heap[child] as typeof last
      if (isBefore(last, least)) break
      heap[index] = least
      index = child
    }
    heap[index] = last
    return first.event
  }
}

function isBefore(a: { at: number; order: number }, b: { at: number; order: number }): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
