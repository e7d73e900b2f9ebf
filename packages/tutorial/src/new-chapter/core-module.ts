/** What the core gains with a new chapter, as files that are still to be written: a module, its page, its changeset. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { twoDigits } from '../chapters/parts.ts'
import { toWrite } from '../texts/unwritten.ts'
import { ROOT } from '../workspace/repository.ts'
import type { NewChapter } from './readme.ts'

/** The files, by their paths counted from the repository, with their texts. */
export function coreModuleFiles(module: string, { number, name }: NewChapter): Record<string, string> {
  const version = `0.${number}.0`
  const source = `packages/core/src/${module}.ts`
  const purpose = toWrite('what it is for')
  return {
    [source]: [
      '/**',
      ` * ${toWrite('what it is for, in two or three sentences')}`,
      ' *',
      ` * @since ${version}`,
      ' */',
      'export {}',
      '',
    ].join('\n'),
    [`docs/core/${module}.md`]: [
      `# ${module}`,
      '',
      `${purpose} First used in [chapter ${twoDigits(number)}](../../chapters/${name}/README.md); source: [\`${module}.ts\`](../../${source}).`,
      ...headingsOfPages().flatMap((heading) => ['', heading, '', toWrite(heading.replace(/^#+ /, ''))]),
      '',
    ].join('\n'),
    [`.changeset/${name}.md`]: [
      '---',
      '"@rpi-cluster/core": minor',
      '---',
      '',
      `\`${module}\`: ${toWrite('what a program can do with it, in words for readers')}`,
      '',
    ].join('\n'),
    'packages/core/README.md': withRow(
      readFileSync(join(ROOT, 'packages/core/README.md'), 'utf8'),
      `| [\`${module}\`](src/${module}.ts) | ${version} | ${purpose} |`,
    ),
  }
}

/** The headings that the pages of the modules have, as the first of them shows. */
function headingsOfPages(): string[] {
  const [page] = readdirSync(join(ROOT, 'docs/core')).sort()
  if (page === undefined) return []
  return readFileSync(join(ROOT, 'docs/core', page), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('## '))
}

/** The text with one more row at the end of its first table of modules. */
function withRow(text: string, row: string): string {
  const lines = text.split('\n')
  const first = lines.findIndex((line) => line.includes('](src/'))
  const end = lines.findIndex((line, index) => index > first && !line.startsWith('|'))
  return lines.toSpliced(end, 0, row).join('\n')
}
