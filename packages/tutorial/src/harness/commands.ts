/** Programs of a test's own in the place of the system's, as `systemctl` or `git`. */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { ChapterCopy } from './chapter-copy.ts'

export interface StandInCommands {
  /** For {@link ChapterCopy.run}: with it a program finds them before the system's. */
  env: { PATH: string }
  /** How they were called so far, each as `FOLDER: NAME WORDS`. */
  calls(): Promise<string[]>
}

/**
 * Makes them in a chapter's copy. Each notes how it was called.
 *
 * @param script what each does then, as a shell has it
 */
export async function standInCommands(
  chapter: ChapterCopy,
  names: readonly string[],
  script = 'echo done',
): Promise<StandInCommands> {
  const folder = join(chapter.folder, 'bin')
  const calls = join(chapter.folder, 'calls')
  await mkdir(folder, { recursive: true })
  for (const name of names) {
    await chapter.write(`bin/${name}`, `#!/bin/sh\necho "$PWD: ${name} $*" >> ${calls}\n${script}\n`)
    await chmod(join(folder, name), 0o755)
  }
  return {
    env: { PATH: `${folder}${delimiter}${process.env['PATH']}` },
    calls: async () => (existsSync(calls) ? (await readFile(calls, 'utf8')).trim().split('\n') : []),
  }
}
