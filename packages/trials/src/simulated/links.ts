/** Who hears whom. A cut goes one way: what one says does not arrive at the other, who is heard all the same. */
export class Links {
  /** Who does not hear whom: `to < from`. */
  readonly #cut = new Set<string>()
  /** Until when nothing arrives, for a time, of what one sends to the other: `to < from`. */
  readonly #stalled = new Map<string, number>()

  isCut(to: string, from: string): boolean {
    return this.#cut.size > 0 && this.#cut.has(`${to} < ${from}`)
  }

  cut(to: string, from: string): void {
    this.#cut.add(`${to} < ${from}`)
  }

  /** Some hear none of the others, and are not heard by them. */
  cutOff(some: readonly string[], all: readonly string[]): void {
    for (const one of all)
      for (const other of some)
        if (!some.includes(one)) {
          this.cut(one, other)
          this.cut(other, one)
        }
  }

  healCuts(): void {
    this.#cut.clear()
  }

  /** Nothing gets through from one to the other until then, and then all of it. */
  stall(to: string, from: string, until: number): void {
    this.#stalled.set(`${to} < ${from}`, until)
  }

  stalledUntil(to: string, from: string): number {
    return this.#stalled.get(`${to} < ${from}`) ?? 0
  }
}
