/** Who is here, as a master's log tells it. Its tables have twenty rows at most; joins and leaves are all there. */
import type { LogRecord } from './log-tail.ts'

export class RosterLog {
  /** The names of those who are here, as far as they have told one. */
  names: string[] = []
  /** How many are here, by the last table. */
  count = 0
  /** What cannot be: who left and was not here, who joined and was. */
  readonly contradictions: string[] = []

  take({ msg }: LogRecord): void {
    const [, joined] = /^(.+ #\d+(?: \(\d+\))?) has joined, from /.exec(msg) ?? []
    const [, left] = /^(.+ #\d+(?: \(\d+\))?) has left, after /.exec(msg) ?? []
    const [, before, after] =
      /^(.+ #\d+(?: \(\d+\))?) (?:is|calls itself) (.+ #\d+(?: \(\d+\))?) now$/.exec(msg) ?? []
    const [, count] = /^Here now: (\d+)$/.exec(msg) ?? []
    if (/^Listening on /.test(msg)) [this.names, this.count] = [[], 0] // it was started anew
    if (count !== undefined) this.count = Number(count)
    if (left !== undefined) this.#remove(left, msg)
    if (before !== undefined) this.#remove(before, msg)
    if (joined !== undefined) this.#add(joined, msg)
    if (after !== undefined) this.#add(after, msg)
  }

  #add(name: string, msg: string): void {
    if (this.names.includes(name)) this.contradictions.push(msg)
    this.names.push(name)
  }

  #remove(name: string, msg: string): void {
    const index = this.names.indexOf(name)
    if (index < 0) this.contradictions.push(msg)
    else this.names.splice(index, 1)
  }
}
