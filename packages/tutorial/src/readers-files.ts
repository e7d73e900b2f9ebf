/** Which files of a folder are a reader's work: the programs, and their configuration. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** True for `src/master.ts` and `rpicluster.cfg`, counted from the folder. */
export function isReadersFile(file: string): boolean {
  return /^(src\/.+\.ts|rpicluster\.cfg)$/.test(file)
}

/** All of them in a folder, sorted. */
export function readersFiles(folder: string): string[] {
  const sources = existsSync(join(folder, 'src'))
    ? readdirSync(join(folder, 'src'), { recursive: true, encoding: 'utf8' }).map((file) => `src/${file}`)
    : []
  return [...sources, 'rpicluster.cfg']
    .filter((file) => isReadersFile(file) && existsSync(join(folder, file)))
    .sort()
}
