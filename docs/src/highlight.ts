/** Code with colours, line by line, as VitePress colours the blocks of a text. */
import { createHighlighter, type Highlighter } from 'shiki'

/** Both have enough contrast on a coloured ground, which the lines of a difference have. */
export const THEMES = { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' } as const

/** The language of a file, by the end of its name. */
const LANGUAGES: Record<string, string> = { ts: 'ts', js: 'js', py: 'python', json: 'json', cfg: 'ini' }

let highlighter: Promise<Highlighter> | undefined

/** What was coloured before: many comparisons show the same module of the core. */
const done = new Map<string, Promise<string[]>>()

/** The lines of a code as HTML, each by itself. Colours are variables, `--shiki-light` and `--shiki-dark`. */
export async function highlightLines(code: string, file: string): Promise<string[]> {
  if (code === '') return []
  const key = `${file}\n${code}`
  const lines = done.get(key) ?? highlight(code, file)
  done.set(key, lines)
  return [...(await lines)]
}

async function highlight(code: string, file: string): Promise<string[]> {
  highlighter ??= createHighlighter({
    themes: Object.values(THEMES),
    langs: Object.values(LANGUAGES),
  })
  const lang = LANGUAGES[file.split('.').at(-1) ?? ''] ?? 'text'
  const { tokens } = (await highlighter).codeToTokens(code, {
    lang: lang as 'ts',
    themes: THEMES,
    defaultColor: false,
  })
  return tokens.map((line) =>
    line
      .map(({ content, htmlStyle }) => {
        const style = Object.entries(htmlStyle ?? {}).map(([name, value]) => `${name}:${value}`)
        return `<span style="${style.join(';')}">${escapeHtml(content)}</span>`
      })
      .join(''),
  )
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)
}
