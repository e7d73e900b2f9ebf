/** What a reader did that cannot work: shown as a line, without a stack trace, with exit code 2. */
export class ReaderError extends Error {
  override readonly name = 'ReaderError'
}
