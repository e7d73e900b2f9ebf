/** The difference between two chapters as HTML: the chapter's own files, the core's growth, the tests. */
import { statusOf } from '../.vitepress/theme/comparison.ts'
import type { ShownChange, ShownComparison, ShownHunk, ShownLine } from './shown.ts'

/** Where a module of the core, or a name of it, is described: an address of the site, its base included. */
export type AddressOf = (module: string, name?: string) => string

export function changesHtml(shown: ShownComparison, addressOf: AddressOf): string {
  const of = (part: ShownChange['part']) => shown.changes.filter((change) => change.part === part)
  const own = of('own').sort((a, b) => quietness(a) - quietness(b))
  const tests = of('tests')
  return [
    '<h2>The chapter’s own files</h2>',
    own.length === 0 ? '<p>They are the same.</p>' : '',
    ...own.map((change) => changedFile(change, 'h3', quietness(change) === 2)),
    '<h2>How the core grew</h2>',
    shown.growth.length === 0 ? '<p>It is the same.</p>' : '',
    ...shown.growth.flatMap(({ name, html, publicNames }) => [
      `<h3><a href="${addressOf(name)}">${name}</a></h3>`,
      `<p>${html}</p>`,
      '<ul>',
      ...publicNames.map(
        ({ name: symbol, firstUsedBy }) =>
          `<li><a href="${addressOf(name, symbol)}"><code>${symbol}</code></a>${firstUsedBy ? `, first used by <code>${firstUsedBy}</code>` : ''}</li>`,
      ),
      '</ul>',
    ]),
    ...(tests.length === 0
      ? []
      : ['<h2>The tests</h2>', ...tests.map((change) => changedFile(change, 'h3', true))]),
  ]
    .filter(Boolean)
    .join('\n')
}

/** Programs come first, then what else a chapter has, and what is back as it was; and last, folded, what says how they are called. */
function quietness({ file, status }: ShownChange): number {
  if (file === 'package.json') return 2
  if (status === 'back') return 1
  return file.startsWith('src/') ? 0 : 1
}

function changedFile(change: ShownChange, heading: string, isFolded: boolean): string {
  const { file, from, status, addedLines, removedLines, hunks, said } = change
  const counts = `${statusOf(change)}${status === 'back' ? '' : `, +${addedLines} −${removedLines}`}`
  const title = `<span class="path">${from ? `${from} → ` : ''}${file}</span> <span class="counts">${counts}</span>`
  const isNew = status === 'added' || status === 'removed'
  const [outer, inner] = isFolded ? ['details', 'summary'] : ['section', heading]
  return [
    `<${outer} id="changed-${file}" class="changed-file" data-file="${file}">`,
    `<${inner} class="file-name">${title}</${inner}>`,
    hunks.length === 0 ? `<p>${said ?? 'Its lines are the same.'}</p>` : '',
    ...hunks.map((hunk) => hunkHtml(hunk, file, isNew)),
    `</${outer}>`,
  ]
    .filter(Boolean)
    .join('\n')
}

function hunkHtml({ line, items }: ShownHunk, file: string, isNew: boolean): string {
  const from = `${file}, from line ${Math.max(line, 1)}`
  let html = `<div class="hunk${isNew ? ' one-sided' : ''}" role="group" aria-label="${from}">`
  let open: ShownLine['kind'] = 'kept'
  const turnTo = (kind: ShownLine['kind']) => {
    if (kind === open) return
    html += CLOSING[open] + OPENING[kind]
    open = kind
  }
  for (const item of items) {
    const row = isNew ? '' : ` style="--row:${item.row}"`
    if (item.kind === 'note') {
      turnTo('kept')
      html += `<p class="explanation"${row}>${item.html}</p>`
      continue
    }
    turnTo(item.kind)
    html += lineHtml(item, row)
  }
  turnTo('kept')
  return `${html}</div>`
}

const OPENING = { kept: '', removed: '<del class="run removed">', added: '<ins class="run added">' }
const CLOSING = { kept: '', removed: '</del>', added: '</ins>' }

/** A line, with its number in the newer file (`data-n`) and in the older one (`data-b`). */
function lineHtml({ kind, before, after, html }: ShownLine, row: string): string {
  const number = [after !== undefined && `data-n="${after}"`, before !== undefined && `data-b="${before}"`]
    .filter(Boolean)
    .join(' ')
  return `<div class="line ${kind}"${row} ${number}><code>${html || '&#8203;'}</code></div>`
}
