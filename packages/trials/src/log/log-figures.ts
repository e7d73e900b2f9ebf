/** Many runs of a cluster that keeps a log, in a few figures. */
import type { LogOutcome } from './log-simulation.ts'

/** What is worth knowing of many runs. */
export class LogFigures {
  readonly #began = performance.now()
  readonly #settled: number[] = []
  readonly #sums = { steps: 0, leaders: 0, entries: 0, operations: 0, changes: 0 }
  #seeds = 0

  add(outcome: LogOutcome): void {
    this.#seeds += 1
    if (outcome.settledAfter !== undefined) this.#settled.push(outcome.settledAfter)
    this.#sums.steps += outcome.steps
    this.#sums.leaders += outcome.leaders
    this.#sums.entries += outcome.entries
    this.#sums.operations += outcome.operations
    this.#sums.changes += outcome.changes
  }

  /** What is known, in lines. */
  lines(first: number): string[] {
    const seconds = (performance.now() - this.#began) / 1_000
    const { steps, leaders, entries, operations, changes } = this.#sums
    const settled = this.#settled.sort((a, b) => a - b)
    const at = (part: number) => settled[Math.floor(part * (settled.length - 1))]?.toFixed(1)
    return [
      `No rule is broken in ${this.#seeds} seeds, from ${first} on: ${steps} steps, ${leaders} leaders, ${entries} entries, ${changes} times something was done about the members.`,
      `The histories of all tasks, ${operations} operations, are linearizable.`,
      `When all was healed, all was done and all were alike after ${at(0.5)} times electionMs (median), ${at(0.99)} (99 of 100), ${at(1)} (worst).`,
      `${seconds.toFixed(1)} s, ${Math.round(this.#seeds / seconds)} seeds a second.`,
    ]
  }
}
