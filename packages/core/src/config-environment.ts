/**
 * Values from the environment, which stand above the file's: for containers, which have no file of their own, and for secrets,
 * which belong into none. `RPI_CLUSTER_NODE_SOCKET_PORT` is `socket_port` of the section `node`, and a variable of that name
 * with `_FILE` behind it names a file with the value, as containers and systemd hand over secrets.
 *
 * @since 0.20.0
 */
import { readFileSync, statSync } from 'node:fs'
import { closest, distance } from 'fastest-levenshtein'
import { TYPO_DISTANCE } from './config.ts'
import { fromReader } from './config-command.ts'
import type { AnyDefinition } from './config-definition.ts'
import type { Found } from './config-text.ts'
import { kindOf } from './file-kind.ts'
import { showInvisible } from './log-text.ts'

/** What the names of all variables begin with. */
const PREFIX = 'RPI_CLUSTER_'

/** What the name of one ends with that names a file. */
const FILE = '_FILE'

/** The largest such file, in bytes. */
const MAX_BYTES = 64 * 1024

/**
 * What the environment says.
 *
 * @internal
 */
export interface EnvironmentValues {
  /** By section and key, with a dot between. */
  values: Map<string, Found>
  problems: string[]
  warnings: string[]
}

/**
 * The variable that stands for a key: `RPI_CLUSTER_NODE_SOCKET_PORT`.
 *
 * @internal
 */
export function variableOf(section: string, key: string): string {
  return `${PREFIX}${section}_${key}`.toUpperCase().replace(/[^A-Z\d]/g, '_')
}

/**
 * The values of some sections' keys, as far as the environment has them. A variable whose name is nearly right is a warning.
 *
 * @internal
 */
export function environmentValues(
  { sections: shapes }: AnyDefinition,
  sections: readonly string[],
  environment: NodeJS.ProcessEnv,
): EnvironmentValues {
  const found: EnvironmentValues = { values: new Map(), problems: [], warnings: [] }
  const known = new Set<string>()
  for (const section of sections) {
    for (const key of Object.keys(shapes[section]?.keys ?? {})) known.add(variableOf(section, key))
  }
  for (const section of sections) {
    for (const key of Object.keys(shapes[section]?.keys ?? {})) {
      const name = variableOf(section, key)
      const value = environment[name]
      const file = known.has(name + FILE) ? undefined : environment[name + FILE]
      if (value !== undefined && file !== undefined) {
        found.problems.push(`The environment has both ${name} and ${name}${FILE}. Leave one of them.`)
      } else if (value !== undefined) {
        found.values.set(`${section}.${key}`, {
          value,
          isText: true,
          place: name,
          title: `The environment variable ${name}`,
        })
      } else if (file !== undefined) {
        const read = readValueFile(file)
        if ('problem' in read) {
          found.problems.push(
            `The environment variable ${name}${FILE} names ${showInvisible(file) || '""'}, ${read.problem}.`,
          )
          continue
        }
        const title = `The file ${showInvisible(file)} of the environment variable ${name}${FILE}`
        found.values.set(`${section}.${key}`, { value: read.text, isText: true, place: name + FILE, title })
      }
    }
  }
  found.warnings.push(...unknownVariables([...known], sections, environment))
  return found
}

/** A value in a file, which is found as that of `--config` is. The line end behind it belongs to the file. */
function readValueFile(given: string): { text: string } | { problem: string } {
  if (given === '') return { problem: 'which is no name at all' }
  const path = fromReader(given)
  try {
    const stats = statSync(path)
    // A pipe or a device might keep the program waiting for ever.
    if (!stats.isFile()) return { problem: `which is ${kindOf(stats)}, and should be a file` }
    if (stats.size > MAX_BYTES) return { problem: 'which is larger than 64 KiB, and should have one value' }
    return { text: readFileSync(path, 'utf8').replace(/\r?\n$/, '') }
  } catch (error) {
    return { problem: `which cannot be read: ${error instanceof Error ? error.message : String(error)}` }
  }
}

function unknownVariables(
  known: readonly string[],
  sections: readonly string[],
  environment: NodeJS.ProcessEnv,
): string[] {
  if (known.length === 0) return []
  const all = [...known, ...known.map((name) => name + FILE)]
  const beginnings = sections.map((section) => variableOf(section, ''))
  return Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && !all.includes(name))
    .flatMap((name) => {
      const nearest = closest(name, all)
      const isNear = distance(name, nearest) <= TYPO_DISTANCE
      // Those of other sections are other programs'.
      if (!isNear && !beginnings.some((beginning) => name.startsWith(beginning))) return []
      const what = `The environment variable ${showInvisible(name)} is not known here, and is ignored.`
      return isNear ? `${what} Did you mean ${nearest}?` : `${what} Known here: ${known.join(', ')}.`
    })
}
