/** What a chapter's README shows of a run of its cluster. Tests read it this way: to parse all of it takes longer. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CHAPTERS_FOLDER } from '../chapters/chapters.ts'
import { normalized } from './normalized.ts'

/**
 * The lines that a chapter's README shows of its cluster, each once; and whether these are all, or `...` stands for
 * others.
 */
export function linesShown(chapter: string): { lines: string[]; areAll: boolean } {
  const readme = readFileSync(join(CHAPTERS_FOLDER, chapter, 'README.md'), 'utf8')
  const [, block = ''] =
    /```console\n\$ pnpm --filter \S+ start [^\n]*\n([\s\S]*?)(?:\n\$ [\s\S]*?)?\n```/.exec(readme) ?? []
  const all = [...new Set(block.split('\n').map(normalized))].sort()
  const lines = all.filter((line) => line !== '...')
  return { lines, areAll: lines.length === all.length }
}
