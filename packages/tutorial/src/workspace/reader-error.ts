/** What a reader did that cannot work: shown as a line, without a stack trace, with exit code 2. */
export class ReaderError extends Error {
  override readonly name = 'ReaderError'
}

/**
 * What a reader is told of an error that ended a command. Where in the tool it came up is for its makers: DEBUG=1
 * shows that.
 */
export function toldOf(error: unknown): string {
  if (error instanceof ReaderError) return error.message
  if (process.env['DEBUG']) return error instanceof Error ? (error.stack ?? error.message) : String(error)
  const { message, code, syscall, path } = (error ?? {}) as NodeJS.ErrnoException
  const what = message ?? String(error)
  if (syscall === 'mkdtemp')
    return `There is no room for temporary files (${what}). TMPDIR says where they go.`
  // What the system refuses is seldom a mistake of the tool: no space, no permission, something moved away meanwhile.
  if (code && syscall) return `That did not work: ${what}${path && !what.includes(path) ? ` (${path})` : ''}.`
  return `A mistake in the tool itself: ${what}. The same with DEBUG=1 before it shows where; please report that.`
}
