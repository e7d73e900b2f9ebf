/** Code with colours, line by line, as VitePress colours the blocks of a text: by classes, which one style sheet explains. */
import {
  bundledThemes,
  createHighlighter,
  type Highlighter,
  type ShikiTransformer,
  type ThemeRegistration,
} from 'shiki'

/** Both have enough contrast on a coloured ground, which the lines of a difference have. */
export const THEMES = { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' } as const

/** The language of a file, by the end of its name. */
const LANGUAGES: Record<string, string> = { ts: 'ts', js: 'js', py: 'python', json: 'json', cfg: 'ini' }

/** The class of each colour of a theme, by what a style would say: `--shiki-light:#032563` is `l3`. */
const CLASSES = new Map<string, string>()
for (const kind of ['light', 'dark'] as const) {
  const { default: theme } = await bundledThemes[THEMES[kind]]()
  for (const [index, color] of colorsOf(theme).entries())
    CLASSES.set(`--shiki-${kind}:${color}`, `${kind[0]}${index}`)
}

/** What the classes mean, as CSS. */
export const COLORS_CSS = [...CLASSES].map(([style, name]) => `.${name}{${style}}`).join('\n')

/** Gives the blocks of a text their colours by classes. */
export const byClasses: ShikiTransformer = {
  name: 'by-classes',
  span(node) {
    const style = node.properties['style']
    if (typeof style !== 'string') return
    delete node.properties['style']
    this.addClassToHast(node, classesOf(style.split(';')))
  },
}

let highlighter: Promise<Highlighter> | undefined

/** What was coloured before: many chapters have the same test. */
const done = new Map<string, Promise<string[]>>()

/** The lines of a code as HTML, each by itself. */
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
        return `<span class="${classesOf(style).join(' ')}">${escapeHtml(content)}</span>`
      })
      .join(''),
  )
}

/** The classes of a token's colours. What else its style has, such as bold, the site leaves out. */
function classesOf(style: readonly string[]): string[] {
  return style.map((one) => CLASSES.get(one)).filter((name) => name !== undefined)
}

function colorsOf({ colors = {}, tokenColors = [] }: ThemeRegistration): string[] {
  const all = [colors['editor.foreground'], ...tokenColors.map(({ settings }) => settings.foreground)]
  return [...new Set(all.flatMap((color) => color?.toUpperCase() ?? []))]
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)
}
