/**
 * The JSON Schemas of the chapters' configurations, for editors. A configuration in JSON says in its `$schema` where its
 * schema is; that file is made of what `src/config.ts` defines, by a process that imports the chapter, as its programs do.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { allChapters, type Chapter } from '../chapters/chapters.ts'
import { isJsonConfig, valueAt } from '../chapters/config-file.ts'
import { ReaderError } from '../workspace/reader-error.ts'

const PRINTER = fileURLToPath(new URL('./print-json-schemas.ts', import.meta.url))

/** A schema, and the chapter that it belongs to. */
interface SchemaFile {
  chapter: Chapter
  /** Counted from the repository. */
  shown: string
  path: string
}

/** What is wrong with the schemas: a line each, beginning with its file. */
export function schemaProblems(chapters: readonly Chapter[] = allChapters()): string[] {
  const files = schemaFiles(chapters)
  try {
    return wantedSchemas(files).flatMap((wanted, index) => {
      const { path, shown } = files[index] as SchemaFile
      return textOf(path) === wanted
        ? []
        : [`${shown}: it is not what src/config.ts defines (pnpm sync writes it)`]
    })
  } catch (error) {
    if (error instanceof ReaderError) return error.message.split('\n')
    throw error
  }
}

/**
 * Writes the schemas anew, and returns those that changed.
 *
 * @throws ReaderError when a chapter has none to give
 */
export function syncSchemas(chapters: readonly Chapter[] = allChapters()): string[] {
  const files = schemaFiles(chapters)
  return wantedSchemas(files).flatMap((wanted, index) => {
    const { path, shown } = files[index] as SchemaFile
    if (textOf(path) === wanted) return []
    writeFileSync(path, wanted)
    return [shown]
  })
}

/** Where a chapter's configuration says that its schema is, counted from the chapter; nothing where it says none. */
export function schemaNameOf({ folder, config }: Chapter): string | undefined {
  const text = config === undefined ? '' : (textOf(join(folder, config)) ?? '')
  const named = isJsonConfig(text) ? valueAt(text, '$schema') : undefined
  if (typeof named !== 'string' || !/^(?:\.\/)?[\w.-]+\.json$/.test(named)) return undefined
  return normalize(named)
}

function schemaFiles(chapters: readonly Chapter[]): SchemaFile[] {
  return chapters.flatMap((chapter) => {
    const name = schemaNameOf(chapter)
    return name === undefined
      ? []
      : [{ chapter, shown: `chapters/${chapter.name}/${name}`, path: join(chapter.folder, name) }]
  })
}

/** The texts that should be there, by one process for all. */
function wantedSchemas(files: readonly SchemaFile[]): string[] {
  if (files.length === 0) return []
  const sources = files.map(({ chapter }) => join(chapter.folder, 'src/config.ts'))
  try {
    const args = ['--import', import.meta.resolve('tsx'), PRINTER, ...sources]
    return JSON.parse(
      execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
    )
  } catch (error) {
    const { stderr = String(error) } = error as { stderr?: string }
    throw new ReaderError(stderr.trimEnd())
  }
}

function textOf(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}
