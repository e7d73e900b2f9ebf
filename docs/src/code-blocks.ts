/**
 * How the site shows the code blocks of a text: a piece of a program under its file's name, with what is new and
 * gone marked, and what a terminal shows in a terminal's colours.
 */
import { join, relative } from 'node:path'
import { allChapters } from '@rpi-cluster/tutorial/chapters/chapters'
import { shownPieces } from '@rpi-cluster/tutorial/compare/shown-programs'
import type { MarkedLine } from '@rpi-cluster/tutorial/texts/pieces'
import { type CodeBlock, readReadme } from '@rpi-cluster/tutorial/texts/readme'
import { ROOT } from '@rpi-cluster/tutorial/workspace/repository'
import type { MarkdownRenderer } from 'vitepress'
import { siteAddress } from './links.ts'
import { terminalLines } from './terminal.ts'

/** What VitePress says of the text that is rendered. */
interface Environment {
  path?: string
  realPath?: string
}

/** A plugin for VitePress's Markdown renderer. */
export function codeBlocks(md: MarkdownRenderer): void {
  const fence = md.renderer.rules.fence
  if (!fence) throw new Error('The Markdown renderer has no rule for code blocks')
  md.renderer.rules.fence = (tokens, index, options, env: Environment, self) => {
    const { info = '', content = '' } = tokens[index] ?? {}
    const text = relative(ROOT, env.realPath ?? env.path ?? ROOT)
    const code = content.trimEnd()
    if (/^(console|text)\b/.test(info)) return terminalBlock(code, text)
    const file = /\s(?:file|program)=(\S+)/.exec(info)?.[1]
    if (file) return piece(md, { file, text, code, isDiff: /^diff\b/.test(info) })
    return fence(tokens, index, options, env, self)
  }
}

/** The frame by which VitePress knows a block of code, and copies it: all but what has the class `vp-copy-ignore`. */
function block(
  language: string,
  label: string,
  pre: string,
  { classes = '', data = '', copy = 'Copy Code' },
) {
  return `<div class="language-${language} vp-adaptive-theme ${classes}"${data}><button title="${copy}" class="copy"></button>${label}${pre}</div>\n`
}

/** Commands and what they print. The button takes the commands, or all of it where there are none. */
function terminalBlock(code: string, text: string): string {
  const { lines, hasCommands } = terminalLines(code, chapterOf(text))
  // VitePress trims what it copies from a shell's block: a command waits for its reader's Enter.
  return block(
    hasCommands ? 'sh' : 'text',
    `<span class="lang">${hasCommands ? 'console' : ''}</span>`,
    `<pre v-pre><code>${lines}</code></pre>`,
    { classes: 'terminal', copy: hasCommands ? 'Copy the commands' : 'Copy the text' },
  )
}

interface Piece {
  /** As the fence has it. */
  file: string
  /** The text that it stands in, counted from the repository. */
  text: string
  code: string
  /** Whether each line has a mark. */
  isDiff: boolean
}

function piece(md: MarkdownRenderer, { file, text, code, isDiff }: Piece): string {
  // A path counts from the README's folder, or from the repository.
  const address = siteAddress(file, text) ?? siteAddress(file, 'README.md')
  const name = address ? md.renderInline(`[${file}](${address})`, { path: join(ROOT, text) }) : file
  const { lines, goesOn, continues } = placeOf(file, text, code)
  const where = numbersOf(lines)
  const label = `<span class="lang file-name">${name}${where && ` <span class="where">${where}</span>`}</span>`
  const classes = ['piece', continues && 'continues', goesOn && 'goes-on'].filter(Boolean).join(' ')
  const marked = code.split('\n').map((line) => (isDiff ? markedLine(line) : { mark: ' ', code: line }))
  const language = file.split('.').at(-1) === 'cfg' ? 'ini' : (file.split('.').at(-1) ?? 'text')
  return block(
    language,
    label,
    `<pre class="vp-code" v-pre><code>${markedHtml(md, marked, language, lines)}</code></pre>`,
    {
      classes,
      data: ` data-file="${file}"`,
    },
  )
}

/** Where a piece stands in its program, when it is one of a chapter's: its lines, and whether others come before and after it. */
function placeOf(file: string, text: string, code: string) {
  const readme = readReadme(text)
  const pieces = [...shownPieces(readme)].filter(([{ program }]) => program?.file === fileIn(text, file))
  const at = pieces.findIndex(([{ content }]: [CodeBlock, unknown]) => content.trimEnd() === code)
  const [, shown] = pieces[at] ?? []
  const lines: MarkedLine[] = Array.isArray(shown) ? shown : []
  return { lines, continues: at > 0, goesOn: at >= 0 && at < pieces.length - 1 }
}

const fileIn = (text: string, file: string) => relative(ROOT, join(ROOT, text, '..', file))

/** `lines 4 and 8–11` */
function numbersOf(lines: readonly MarkedLine[]): string {
  const numbers = lines.filter(({ mark, line }) => mark !== '-' && line > 0).map(({ line }) => line)
  const ranges: [number, number][] = []
  for (const number of numbers) {
    const last = ranges.at(-1)
    // A blank line between two statements keeps them together.
    if (last && number > last[1] && number <= last[1] + 2) last[1] = number
    else ranges.push([number, number])
  }
  const words = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`))
  if (words.length === 0) return ''
  const isOne = words.length === 1 && !words[0]?.includes('–')
  return `${isOne ? 'line' : 'lines'} ${words.join(', ').replace(/, ([^,]*)$/, ' and $1')}`
}

interface Marked {
  mark: string
  code: string
}

function markedLine(line: string): Marked {
  return { mark: line.charAt(0) || ' ', code: line.slice(1) }
}

/** The lines with colours, each as a reader's eyes and a screen reader's ears are to have it. */
function markedHtml(
  md: MarkdownRenderer,
  marked: Marked[],
  language: string,
  lines: readonly MarkedLine[],
): string {
  const side = (left: string) => {
    const own = marked.filter(({ mark }) => mark !== left).map(({ code }) => code)
    return coloured(md, own, language)
  }
  // Lines that were never beside each other are coloured apart: the older file, and the newer one.
  const [older, newer] = [side('+'), side('-')]
  let html = ''
  let open = ' '
  for (const [index, { mark }] of marked.entries()) {
    const before = older
    const line = (mark === '-' ? before.shift() : newer.shift()) ?? ''
    if (mark === ' ') before.shift()
    if (mark !== open) html += closing(open) + opening(mark)
    open = mark
    const number = lines[index]?.line
    const place = number && mark !== '-' ? ` data-n="${number}"` : ''
    html += `<span class="line"${place}>${line}\n</span>`
  }
  return html + closing(open)
}

// What was removed is no part of what is copied.
const opening = (mark: string) =>
  mark === '+' ? '<ins class="run">' : mark === '-' ? '<del class="run vp-copy-ignore">' : ''
const closing = (mark: string) => (mark === '+' ? '</ins>' : mark === '-' ? '</del>' : '')

/** As VitePress colours any block, line by line. */
function coloured(md: MarkdownRenderer, lines: readonly string[], language: string): string[] {
  if (lines.length === 0) return []
  const html = md.options.highlight?.(lines.join('\n'), language, '') ?? ''
  const code = /<code[^>]*>([\s\S]*)<\/code>/.exec(html)?.[1] ?? ''
  return code
    .split('\n')
    .map((line) => line.replace(/^<span class="line">([\s\S]*)<\/span>$/, '$1').replace('<wbr>', ''))
}

/** The chapter whose README a text is. */
function chapterOf(text: string) {
  return allChapters().find(({ name }) => text === `chapters/${name}/README.md`)
}
