/** Many runs, in a few figures. */
import type { Outcome } from './simulation.ts'

/** What is worth knowing of many runs. */
export class Figures {
  readonly #began = performance.now()
  readonly #settled: number[] = []
  #seeds = 0
  #steps = 0
  #leaders = 0
  #lossy = 0
  #needless = 0

  add({ steps, leaders, settledAfter, needless, isLossy }: Outcome): void {
    this.#seeds += 1
    this.#steps += steps
    this.#leaders += leaders
    if (settledAfter !== undefined) this.#settled.push(settledAfter)
    if (isLossy) this.#lossy += 1
    this.#needless += needless
  }

  /** What is known, in lines. */
  lines(first: number): string[] {
    const seconds = (performance.now() - this.#began) / 1_000
    const settled = this.#settled.sort((a, b) => a - b)
    const at = (part: number) => settled[Math.floor(part * (settled.length - 1))]?.toFixed(1)
    return [
      `No rule is broken in ${this.#seeds} seeds, from ${first} on: ${this.#steps} steps, ${this.#leaders} leaders.`,
      `When all was healed, all followed one leader after ${at(0.5)} times electionMs (median), ${at(0.99)} (99 of 100), ${at(0.9999)} (9,999 of 10,000), ${at(1)} (worst).`,
      `In ${this.#lossy} seeds messages were lost for 10 times electionMs more: the leader changed ${this.#needless} times.`,
      `${seconds.toFixed(1)} s, ${Math.round(this.#seeds / seconds)} seeds a second.`,
    ]
  }
}
