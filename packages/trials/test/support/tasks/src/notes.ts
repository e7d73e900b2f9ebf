/** What the programs of a trial note while they run, a line each, in one file: whatever becomes of them, it is there. */
import { appendFileSync } from 'node:fs'

/** Something that has happened. */
export type Note =
  /** A node was handed a task. */
  | { what: 'handed'; id: string; lease: number; node: string; at: number }
  /** A node has given it back. */
  | { what: 'returned'; id: string; lease: number; node: string }
  /** A task was done, or at least begun: this is its effect. */
  | { what: 'effect'; id: string; node: string; pid: number; at: number }
  /** The primary has lost a node. */
  | { what: 'lost'; node: string; at: number }
  /** The submitter was told how a task has ended. */
  | { what: 'end'; id: string; state: string; result: unknown; lost: number; kind?: string | undefined }

export function note(...notes: Note[]): void {
  appendFileSync(process.env['NOTES'] ?? '', notes.map((each) => `${JSON.stringify(each)}\n`).join(''))
}
