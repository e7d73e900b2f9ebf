/**
 * Where the running program belongs: the folder of the nearest package.json above its script. Its
 * log file and its configuration live there, whatever folder it was started from.
 *
 * @since 0.2.0
 */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * The folder of the nearest package.json above the script that Node was started with. Without a
 * script (as in `node --eval`), or without a package.json above it, the working directory.
 */
export function programFolder(): string {
  const script = process.argv[1]
  if (!script || !existsSync(script)) return process.cwd()

  let folder = dirname(realpathSync(script))
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder)
    if (parent === folder) return process.cwd()
    folder = parent
  }
  return folder
}
