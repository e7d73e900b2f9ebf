/** What a simulated cluster draws, all of it from one seed. */

/** Chance of a seed. */
export class Chance {
  readonly next: () => number

  constructor(next: () => number) {
    this.next = next
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.next()
  }

  whole(least: number, most: number): number {
    return least + Math.floor((most - least + 1) * this.next())
  }

  is(probability: number): boolean {
    return this.next() < probability
  }

  one<Of>(of: readonly Of[]): Of {
    return of[Math.floor(of.length * this.next())] as Of
  }

  /** Some of these, and not all. */
  some<Of>(of: readonly Of[]): Of[] {
    const all = [...of]
    const count = this.whole(1, Math.max(1, of.length - 1))
    return Array.from({ length: count }, () => all.splice(this.whole(0, all.length - 1), 1)[0] as Of)
  }

  /** A wait that is mostly short and sometimes long, with this mean. */
  wait(mean: number): number {
    return -mean * Math.log(1 - this.next())
  }
}

/** How wrong clocks are. `exact` and `assumed` are what `holdsLead` is right for. */
export const CLOCKS = {
  exact: [1, 1],
  /** A slow one goes at 0.905 of the rate of a fast one: no more than a tenth less. */
  assumed: [0.95, 1.05],
  wild: [0.8, 1.25],
} as const
