/** How long a test waits for something, and what it says when that does not come. */

/** How long to wait for something that must come, in ms. Long, because it only ends a test that is broken anyway. */
export const PATIENCE_MS = 45_000

/** Something that a test waits for did not come. Not a statement about the program: it may only be slow. */
export class HarnessError extends Error {
  override readonly name = 'HarnessError'
}
