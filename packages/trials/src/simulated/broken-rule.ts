/** A rule that was broken, and how. */
export class BrokenRule extends Error {
  override readonly name = 'BrokenRule'
}
