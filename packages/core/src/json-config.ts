/**
 * Configuration with a shape: a JSON file with comments, checked by the definition that its JSON Schema is made of, so that an
 * editor underlines what the program would refuse. The environment may override it, the INI files of before still count, and
 * what is in force can be asked for. What is wrong is told all at once, with line and column.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.20.0
 */

import { join } from 'node:path'
import { camelCase, FILE_NAME } from './config.ts'
import {
  type ConfigCommand,
  type ConfigPlace,
  configCommand,
  configPlace,
  configTextOf,
  fromReader,
  JSON_FILE_NAME,
} from './config-command.ts'
import type { AnyDefinition, ConfigDefinition, SectionShape, SectionValues } from './config-definition.ts'
import { type InForce, inForce } from './config-in-force.ts'
import { migrate, secretNames } from './config-migration.ts'
import { origin, print, printedConfig, shownValue } from './config-printing.ts'
import { readConfigText } from './config-text.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { programFolder } from './program-folder.ts'

// What a configuration file may have.
export {
  ConfigDefinition,
  defineConfig,
  type KeyShape,
  type SectionShape,
  type SectionValues,
} from './config-definition.ts'
// What a value can be.
export {
  bindAddress,
  host,
  listOf,
  oneOf,
  orNothing,
  port,
  secret,
  text,
  trueOrFalse,
  wholeNumber,
} from './config-values.ts'

type Sections = Readonly<Record<string, SectionShape>>

/** What {@link loadJsonConfig} returns: the values of the section that it was asked for, or of several by their names. */
export type LoadedConfig<All extends Sections, Names> = Names extends readonly (keyof All & string)[]
  ? { [Name in Names[number]]: SectionValues<All[Name]> }
  : Names extends keyof All
    ? SectionValues<All[Names]>
    : never

/**
 * Reads a program's section, or several, of its configuration: of the file given by `--config FILE`, JSON or INI, counted from
 * the folder where the reader typed; or else of `rpicluster.json` in {@link programFolder}, or of `rpicluster.cfg` there.
 * A variable `RPI_CLUSTER_SECTION_KEY` of the environment stands above the file.
 *
 * Where the command line says `--print-config` or `--migrate`, it does that, and ends the program with exit code 0.
 *
 * It may be called again, to read what has changed: it returns all of the new values, or throws and changes nothing. What came
 * through a pipe stays as it was.
 *
 * @param sections the name of a section, or several: then their values come by section
 * @param log gets a line that says which file was read, if it is another than the program's own or not all came from it; warnings;
 *   and at level debug each value with its place. No secret's.
 * @throws OperationalError with one problem for each thing that is wrong with the command line, the file or the environment
 */
export function loadJsonConfig<
  All extends Sections,
  const Names extends (keyof All & string) | readonly (keyof All & string)[],
>(definition: ConfigDefinition<All>, sections: Names, log: Logger): LoadedConfig<All, Names> {
  const names: readonly string[] = typeof sections === 'string' ? [sections] : sections
  const command = configCommand()
  if (command.migrate) endWith(migratedLines(command, definition))

  const place = configPlace(command)
  const { path } = place
  const file =
    path === undefined ? undefined : readConfigText(path, configTextOf(path), secretNames(definition))
  const found = inForce(definition, names, file, process.env)
  const isFromNowhere = path === undefined && found.values.every(({ from }) => from !== 'environment')
  if (isFromNowhere && found.problems.length > 0) {
    throw new OperationalError(
      `There is no configuration file ${join(programFolder(), JSON_FILE_NAME)}. Create it, or name another with --config FILE.`,
    )
  }
  if (command.printConfig) for (const warning of found.warnings) print(`${warning}\n`, 2)
  else for (const warning of found.warnings) log.warn(warning)
  if (found.problems.length > 0) throw new OperationalError(found.problems)
  if (command.printConfig) endWith(printedConfig(found.values, path))

  tell(found, place, file?.isJson !== false, log)
  const values = Object.fromEntries(names.map((name) => [name, valuesOf(name, found)]))
  return (typeof sections === 'string' ? values[sections] : values) as LoadedConfig<All, Names>
}

function valuesOf(name: string, { values }: InForce): Record<string, unknown> {
  const own = values.filter(({ section }) => section === name)
  return Object.fromEntries(own.map(({ key, output }) => [camelCase(key), output]))
}

function migratedLines({ config, migrated }: ConfigCommand, definition: AnyDefinition): string {
  const given = migrated ?? config
  const folder = programFolder()
  const path = given === undefined ? join(folder, FILE_NAME) : fromReader(given)
  return migrate(path, configTextOf(path), definition, folder)
    .map((line) => `${line}\n`)
    .join('')
}

/** Says where all this comes from. */
function tell({ values }: InForce, { path, ignored }: ConfigPlace, isJson: boolean, log: Logger): void {
  const named = (wanted: string) =>
    values.filter(({ from }) => from === wanted).map(({ section, key }) => `${section}.${key}`)
  const [fromEnvironment, byDefault] = [named('environment'), named('default')]
  const said = [path === undefined ? 'There is no configuration file' : `The configuration is ${path}`]
  if (!isJson) said[0] += ', an INI file: --migrate makes JSON of it'
  if (ignored !== undefined) said.push(`${ignored} beside it is not read`)
  if (fromEnvironment.length > 0) {
    said.push(`from the environment: ${fromEnvironment.join(', ')}`)
    if (byDefault.length > 0) said.push(`by default: ${byDefault.join(', ')}`)
  }
  // That a program reads its own file is nothing to tell.
  const isOwn = isJson && path === join(programFolder(), JSON_FILE_NAME) && said.length === 1
  log[isOwn ? 'debug' : 'info'](said.join('; '))
  for (const value of values) {
    log.debug(
      `${value.section}.${value.key} is ${shownValue(value)}, ${value.from === 'default' ? '' : 'from '}${origin(value, path)}`,
    )
  }
}

/** Prints a text, and ends the program: this was all that was asked of it. */
function endWith(printed: string): never {
  print(printed)
  process.exit(0)
}
