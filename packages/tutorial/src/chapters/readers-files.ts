/** Which files of a folder are a reader's work: the programs, and their configuration. */
import { filesIn } from '../workspace/files.ts'
import { allChapters } from './chapters.ts'

/** True for `src/main.ts`, and for what is a configuration file in any chapter, counted from the folder. */
export function isReadersFile(file: string, configs = configNames()): boolean {
  return /^src\/.+\.ts$/.test(file) || configs.some((name) => name.test(file))
}

/** All of them in a folder, sorted. */
export function readersFiles(folder: string): string[] {
  const configs = configNames()
  const isSource = (path: string) => path.startsWith('src/')
  // Nothing below another folder is a reader's work, and looking through it could take long.
  return filesIn(folder, (path) => path.includes('/') && !isSource(path)).filter((file) =>
    isReadersFile(file, configs),
  )
}

/** The names of the chapters' configuration files; where each copy of a program has its own, with any number. */
function configNames(): RegExp[] {
  const names = allChapters().flatMap(({ config, programs }) => [
    ...(config === undefined ? [] : [config]),
    ...programs.flatMap((program) => program.config ?? []),
  ])
  return [...new Set(names)].map(
    (name) => new RegExp(`^${name.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll('{n}', '\\d+')}$`),
  )
}
