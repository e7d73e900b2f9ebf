/**
 * What a copy of a chapter has: the chapter, and not what its programs or a reader's other tools leave in its folder, such
 * as the socket of a node that was killed, or that runs while the copy is made.
 */
import { lstatSync } from 'node:fs'
import { relative } from 'node:path'

/** Installed packages, what nodes keep, where they say how they do, what they log, and what `pnpm practice` remembers. */
const LEFT_THERE = /(^|\/)node_modules(\/|$)|^(state|run)(\/|$)|\.log(\.\w+)?$|^\.practice\.json$/

/** Whether something in a chapter's folder belongs to the chapter: a filter for `fs.cp`. */
export function belongsTo(folder: string): (path: string) => boolean {
  return (path) => !LEFT_THERE.test(relative(folder, path)) && canBeCopied(path)
}

/** False for sockets, pipes and the like, which nothing can copy, and for what is gone meanwhile. */
export function canBeCopied(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return Boolean(stat?.isFile() || stat?.isDirectory() || stat?.isSymbolicLink())
}
