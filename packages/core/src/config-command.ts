/**
 * What a program's command line says about its configuration, and where the file is that it means: `--config FILE`, or
 * else `rpicluster.json` in the program's own folder, or the `rpicluster.cfg` of before.
 *
 * @since 0.20.0
 */
import { lstatSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { FILE_NAME, readText } from './config.ts'
import { OperationalError } from './lifecycle.ts'
import { programFolder } from './program-folder.ts'

/**
 * The name of a configuration file in JSON, in the program's own folder.
 *
 * @internal
 */
export const JSON_FILE_NAME = 'rpicluster.json'

/**
 * What the reader asks for.
 *
 * @internal
 */
export interface ConfigCommand {
  /** The file that was named. */
  config: string | undefined
  /** Whether only to show what is in force. */
  printConfig: boolean
  /** Whether only to make JSON of an INI file. */
  migrate: boolean
  /** The INI file that was named for that. */
  migrated: string | undefined
}

/**
 * Where the configuration is.
 *
 * @internal
 */
export interface ConfigPlace {
  /** Undefined where there is no file, and none was named. */
  path: string | undefined
  /** The INI file that lies beside it and is not read. */
  ignored?: string
}

/**
 * Takes the command line apart.
 *
 * @internal
 * @throws OperationalError when it has something else
 */
export function configCommand(): ConfigCommand {
  const args = process.argv.slice(2).flatMap((arg) => {
    const [, file] = /^--migrate=(.*)$/s.exec(arg) ?? []
    return file === undefined ? [arg] : ['--migrate', file]
  })
  const takes = 'This program takes --config FILE, --print-config, --migrate [FILE], or nothing.'
  try {
    const { values, positionals } = parseArgs({
      args,
      options: {
        config: { type: 'string' },
        'print-config': { type: 'boolean' },
        migrate: { type: 'boolean' },
      },
      allowPositionals: true,
    })
    const { config, 'print-config': printConfig = false, migrate = false } = values
    const [migrated, unexpected] = migrate ? positionals : [undefined, positionals[0]]
    if (unexpected !== undefined) throw new Error(`Unexpected argument '${unexpected}'`)
    return { config, printConfig, migrate, migrated }
  } catch (error) {
    const what = error instanceof Error ? (error.message.split(/\.?\n|\. /)[0] ?? '') : String(error)
    throw new OperationalError(`${what}. ${takes}`, { cause: error })
  }
}

/**
 * Where the configuration is that is to be read.
 *
 * @internal
 */
export function configPlace({ config }: ConfigCommand): ConfigPlace {
  if (config !== undefined) return { path: fromReader(config) }
  const folder = programFolder()
  const [json, ini] = [join(folder, JSON_FILE_NAME), join(folder, FILE_NAME)]
  if (isThere(json)) return { path: json, ...(isThere(ini) && { ignored: basename(ini) }) }
  return { path: isThere(ini) ? ini : undefined }
}

/**
 * A path as the reader typed it. pnpm and npm run a script in its package's folder, and leave the reader's own in INIT_CWD.
 *
 * @internal
 */
export function fromReader(path: string): string {
  return resolve(process.env['INIT_CWD'] ?? process.cwd(), path)
}

/** What came through pipes: a second reader, or the same one later, would find them empty. */
const piped = new Map<string, string>()

/**
 * The text of a configuration. What came through a pipe is kept.
 *
 * @internal
 * @throws OperationalError when it cannot be read
 */
export function configTextOf(path: string): string {
  const before = piped.get(path)
  if (before !== undefined) return before
  const pipe = isPipe(path)
  const text = readText(path)
  if (pipe) piped.set(path, text)
  return text
}

function isPipe(path: string): boolean {
  try {
    return statSync(path).isFIFO()
  } catch {
    return false // to read it says why
  }
}

/** Whether there is something of that name: a link that leads nowhere, too, which is told when it is read. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
