/** The difference between two chapters as one page that needs nothing else: side by side, with the explanation of each change above it. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { html, parse } from 'diff2html'
import { ColorSchemeType } from 'diff2html/lib/types.js'
import type { Part } from './comparison.ts'
import type { Difference } from './difference.ts'

const PARTS: [Part, string][] = [
  ['own', 'Programs and configuration'],
  ['core', 'How the core grew'],
  ['tests', 'The tests'],
]

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 90rem; margin: 0 auto; padding: 1rem; }
h1, h2 { line-height: 1.2; }
summary { cursor: pointer; }
summary h2 { display: inline-block; margin: 0.5rem 0; }
table.summary { border-collapse: collapse; }
table.summary td { padding: 0.1rem 1rem 0.1rem 0; }
table.summary td:nth-child(n + 3) { text-align: right; font-variant-numeric: tabular-nums; }
.explanation { border-left: 4px solid #0969da; padding: 0.2rem 0.8rem; margin: 0.8rem 0 0.2rem; }
.file { overflow-x: auto; }
code { font-family: ui-monospace, monospace; }
`

/** The page, as HTML. */
export function diffPage(difference: Difference): string {
  const { before, after } = difference
  const css = readFileSync(
    createRequire(import.meta.url).resolve('diff2html/bundles/css/diff2html.min.css'),
    'utf8',
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${before} to ${after}</title>
<style>${css}${STYLE}</style>
</head>
<body>
<h1>From ${before} to ${after}</h1>
${summary(difference)}
${PARTS.map(([part, title]) => section(part, title, difference)).join('\n')}
</body>
</html>
`
}

function summary({ files, growth, lost }: Difference): string {
  const rows = files.map(
    ({ status, file, from, backFrom, addedLines, removedLines }) =>
      `<tr><td>${backFrom === undefined ? status : `back from ${backFrom}, ${status === 'back' ? 'unchanged' : 'changed since'}`}</td><td><code>${escapeHtml(from ? `${from} -> ${file}` : file)}</code></td><td>+${addedLines}</td><td>-${removedLines}</td></tr>`,
  )
  const missing = lost.length > 0 ? `<p>The core does not have yet: ${lost.join(', ')}.</p>` : ''
  const grown =
    growth.length > 0 ? `<p>The core gained: ${growth.map(({ name }) => name).join(', ')}.</p>` : ''
  return `<table class="summary">${rows.join('')}</table>${grown}${missing}`
}

function section(part: Part, title: string, difference: Difference): string {
  const files = parse(difference.diffs[part])
  if (files.length === 0) return ''
  const introduction = part === 'core' ? modules(difference) : ''
  const body = `${introduction}${files.map((file) => fileOf(file, difference)).join('\n')}`
  // The lesson is open, and so is what was asked for alone; the rest unfolds.
  const isOpen = part === 'own' || difference.diffs.own === ''
  return `<details${isOpen ? ' open' : ''}><summary><h2>${title}</h2></summary>\n${body}</details>`
}

function modules({ growth }: Difference): string {
  return growth
    .map(({ name, doc, publicNames }) => {
      const names = publicNames.map(
        (symbol) =>
          `<li><code>${escapeHtml(symbol.name)}</code>${symbol.firstUsedBy ? `, first used by <code>${symbol.firstUsedBy}</code>` : ''}</li>`,
      )
      return `<h3>${name}</h3><p>${escapeHtml(doc)}</p><ul>${names.join('')}</ul>`
    })
    .join('\n')
}

/** One file, a block at a time, each after the explanations of the changes in it. */
function fileOf(file: ReturnType<typeof parse>[number], { after, changes }: Difference): string {
  const inChapter = (name: string) => name.split('/').slice(1).join('/')
  const [oldName, newName] = [inChapter(file.oldName), inChapter(file.newName)]
  const path = file.isDeleted ? oldName : newName
  const fromRepository = path.startsWith('packages/') ? path : `chapters/${after}/${path}`
  const blocks = file.blocks.map((block) => {
    const first = block.newStartLine
    const last = first + block.lines.filter(({ type }) => type !== 'delete').length
    const explanations = changes.filter(
      (change) =>
        change.file === fromRepository && first <= change.line && change.line <= last && change.explanation,
    )
    const texts = [...new Set(explanations.map(({ explanation }) => explanation as string))]
    const shown = html(
      [
        {
          ...file,
          oldName,
          newName,
          isRename: oldName !== newName && file.isRename === true,
          blocks: [block],
        },
      ],
      {
        outputFormat: 'side-by-side',
        drawFileList: false,
        matching: 'lines',
        colorScheme: ColorSchemeType.AUTO,
      },
    )
    return `${texts.map((text) => `<p class="explanation">${escapeHtml(text)}</p>`).join('')}${shown}`
  })
  return `<div class="file">${blocks.join('\n')}</div>`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)
}
