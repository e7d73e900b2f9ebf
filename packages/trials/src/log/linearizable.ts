/**
 * Whether what clients have seen can have come from one thing after the other: each operation at one moment between its call
 * and its return, in the order of a sequential model (Herlihy and Wing, "Linearizability: A Correctness Condition for
 * Concurrent Objects", 1990).
 *
 * It is the search of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993), which tries what can have been first,
 * then what can have been next, and goes back when nothing can; with what Lowe has added ("Testing for Linearizability",
 * 2017): a state that was reached before by the same operations is not looked into again. Porcupine
 * (https://github.com/anishathalye/porcupine) and Knossos (https://github.com/jepsen-io/knossos) do the same. Things that have
 * nothing to do with each other are best checked each by itself: a history is linearizable if each thing's part of it is, and
 * the search takes far less (Horn and Kroening, "Faster linearizability checking via P-compositionality", 2015).
 */

/** Something that a client has asked for. */
export interface Operation<Input, Output> {
  readonly input: Input
  /** When it was asked for, on a clock that all operations share. */
  readonly calledAt: number
  /** What came of it, and when that was known. Without them nobody knows: it may have happened at any time after, or never. */
  readonly returned?: { readonly output: Output; readonly at: number }
}

/** What operations do to a thing when they come one after the other. */
export interface SequentialModel<State, Input, Output> {
  readonly initial: State
  /**
   * What the thing may be after an operation: nothing if it cannot have had this outcome. Without an outcome all that may have
   * come of it.
   */
  step(state: State, input: Input, output: Output | undefined): readonly State[]
  /** The same for states that are the same. */
  key(state: State): string
}

/** A call, or a return, in the order of time. Linked, so that one can be taken out and put back where it was. */
interface Moment<Input, Output> {
  readonly operation: Operation<Input, Output>
  readonly bit: bigint
  readonly at: number
  /** Of a call: the return that belongs to it, if there is one. */
  end?: Moment<Input, Output> | undefined
  readonly isCall: boolean
  before: Moment<Input, Output> | undefined
  after: Moment<Input, Output> | undefined
}

/** Whether a history is linearizable. Times that are equal are in no order. */
export function isLinearizable<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
): boolean {
  let first = linked(history)
  let missing = history.filter(({ returned }) => returned).length
  const seen = new Set<string>()

  const takeOut = (moment: Moment<Input, Output>) => {
    if (moment.before) moment.before.after = moment.after
    else first = moment.after
    if (moment.after) moment.after.before = moment.before
  }
  const putBack = (moment: Moment<Input, Output>) => {
    if (moment.before) moment.before.after = moment
    else first = moment
    if (moment.after) moment.after.before = moment
  }

  const search = (done: bigint, state: State): boolean => {
    if (missing === 0) return true
    // Whatever was called before the first return can have been first.
    for (let call = first; call?.isCall; call = call.after) {
      const { input, returned } = call.operation
      const doneThen = done | call.bit
      for (const stateThen of model.step(state, input, returned?.output)) {
        const keyThen = model.key(stateThen)
        // What nobody knows of and what changes nothing may as well not have happened.
        if (!returned && keyThen === model.key(state)) continue
        const key = `${doneThen.toString(36)} ${keyThen}`
        if (seen.has(key)) continue
        seen.add(key)
        takeOut(call)
        if (call.end) takeOut(call.end)
        if (returned) missing -= 1
        if (search(doneThen, stateThen)) return true
        if (returned) missing += 1
        if (call.end) putBack(call.end)
        putBack(call)
      }
    }
    return false
  }
  return search(0n, model.initial)
}

function linked<Input, Output>(
  history: readonly Operation<Input, Output>[],
): Moment<Input, Output> | undefined {
  const moments = history.flatMap((operation, index): Moment<Input, Output>[] => {
    const shared = { operation, bit: 1n << BigInt(index), before: undefined, after: undefined }
    const call: Moment<Input, Output> = { ...shared, at: operation.calledAt, isCall: true }
    if (!operation.returned) return [call]
    call.end = { ...shared, at: operation.returned.at, isCall: false }
    return [call, call.end]
  })
  moments.sort((a, b) => a.at - b.at || Number(b.isCall) - Number(a.isCall))
  for (const [index, moment] of moments.entries()) {
    moment.before = moments[index - 1]
    moment.after = moments[index + 1]
  }
  return moments[0]
}
