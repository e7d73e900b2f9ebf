/**
 * Tasks that survive the loss of any node: where whoever leads writes down what becomes of them is a replicated log, and
 * where it goes on is the {@link TaskLedger} that this log has made, on every member.
 *
 * @since 0.27.0
 */
import { JournalOver, type TaskEvent, type TaskJournal } from './task-journal.ts'
import type { TaskLedger } from './task-ledger.ts'

/** How long the data of an entry becomes, in characters, unless one event is longer by itself. */
const ENTRY = 64 * 1024

/** Who leads, as far as a journal has to know: the reign of a replicated log. */
export interface Proposer {
  /**
   * Resolves when a majority has it on the disk and it is applied here.
   *
   * @throws when somebody else leads first: it may be in the log by then or not
   */
  propose(data: string): Promise<void>
}

/**
 * A journal for `Tasks`, for one reign. Give them `clock: () => reign.time()`, too, and a `desk` that is the same whoever
 * leads: then nodes go on with what another leader has given them, and tell the next one what came of it.
 *
 * @param ledger to which all is applied that earlier leaders have committed: so it is when a log says that this node leads
 */
export function replicatedJournal(reign: Proposer, ledger: TaskLedger): TaskJournal {
  return {
    forgets: true,
    recovered: () => ledger.events(),
    async write(events) {
      try {
        await Promise.all([...entriesOf(events)].map((data) => reign.propose(data)))
      } catch (error) {
        throw new JournalOver(
          `It is not known whether it was written down: ${error instanceof Error ? error.message : error}`,
          { cause: error },
        )
      }
    },
  }
}

/** Events as the data of entries, in order. */
function* entriesOf(events: readonly TaskEvent[]): Generator<string, void, void> {
  let texts: string[] = []
  let length = 0
  for (const event of events) {
    const text = JSON.stringify(event)
    if (texts.length > 0 && length + text.length > ENTRY) {
      yield `[${texts.join(',')}]`
      texts = []
      length = 0
    }
    texts.push(text)
    length += text.length
  }
  if (texts.length > 0) yield `[${texts.join(',')}]`
}

export { type LedgerEnds, TaskLedger, type TaskLedgerOptions } from './task-ledger.ts'
export { LedgerHistory, type LedgerHistoryOptions } from './task-ledger-history.ts'
