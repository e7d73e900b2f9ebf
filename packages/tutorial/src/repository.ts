/** Where this repository is, and which files belong to it. */
import { join } from 'node:path'
import { execaSync } from 'execa'
import { ReaderError } from './reader-error.ts'

/** The repository's absolute path. */
export const ROOT = join(import.meta.dirname, '../../..')

/** The files under a folder that git tracks, or would if they were added (ignored ones left out), counted from that folder. */
export function trackedFiles(folder: string): string[] {
  const { stdout, exitCode, stderr } = execaSync(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '-z'],
    {
      cwd: folder,
      reject: false,
    },
  )
  if (exitCode !== 0) {
    throw new ReaderError(
      `git cannot list the files of ${folder} (${stderr.trim()}). This needs a clone made by git.`,
    )
  }
  return stdout.split('\0').filter(Boolean).sort()
}
