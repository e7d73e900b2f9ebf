/** Who of the chapters listens where: the port to talk to when none is given, and the command that starts what listens there. */
import { allChapters, type Chapter } from '../chapters/chapters.ts'
import { portsOf } from '../chapters/ports.ts'
import { ReaderError } from '../workspace/reader-error.ts'

/**
 * The port that a chapter's first listening program listens on.
 *
 * @throws ReaderError when none of its programs listens
 */
export function portOf(chapter: Chapter): number {
  const [first] = portsOf(chapter)
  if (first) return first.port
  throw new ReaderError(`No program of ${chapter.name} listens. Say where somebody does: pnpm talk PORT.`)
}

/** The command that starts the newest program that listens on a port: `pnpm --filter CHAPTER PROGRAM`. */
export function commandThatListens(port: number): string | undefined {
  for (const chapter of allChapters().toReversed()) {
    const listener = portsOf(chapter).find((listening) => listening.port === port)
    if (listener) return `pnpm --filter ${chapter.name} ${listener.program}`
  }
  return undefined
}
