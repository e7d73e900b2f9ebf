/** What the search finds, and what of it first: VitePress's own search (MiniSearch), told what readers mean. */
import type { DefaultTheme, MarkdownEnv } from 'vitepress'

/**
 * Words that a newcomer types, and that the page which is meant does not have in its headings. They count as its title
 * does, in what is found of its beginning. By the end of the page's address.
 */
const KEYWORDS: Record<string, string> = {
  'start/': 'install installation node nodejs npm pnpm setup download clone begin run laptop',
  'real-pis/': 'connect raspberry pi pis network cable install node deploy copy ssh two several machines',
  'posts/': 'python original series blog chewett',
  'troubleshooting/':
    'error problem help port in use address eaddrinuse connection refused econnrefused boot systemd autostart restart',
  'threat-model/': 'security secure attack attacker hacker safe threat model trust',
  'protocol/': 'message format wire bytes specification',
  'benchmarks/': 'fast speed performance throughput slow',
  'compare/': 'compare diff difference chapters changed',
  'contributing/': 'contribute write new chapter pull request development',
  'core/lifecycle/': 'exit code sigint sigterm ctrl-c stop signal shutdown',
  'core/logging/': 'log logger logging',
  'core/config/': 'config configuration file settings ini',
}

/** What renders a text: VitePress has it from another version of its types than the rest. */
type Renderer = Parameters<NonNullable<DefaultTheme.LocalSearchOptions['_render']>>[2]

/** Words that a question has, and that say nothing of what is asked for. */
const UNSAID = 'a an and are can do does for how i in is it my of on or the to what where which why with'

/** Where a page keeps its keywords, among what the search knows of it. */
const FIELDS = ['title', 'titles', 'keywords', 'text']

/** The options of VitePress's search. */
export const search: DefaultTheme.LocalSearchOptions = {
  detailedView: true,
  _render: searchable,
  miniSearch: {
    options: {
      // Not in VitePress's type, and handed on like the rest.
      ...({ fields: FIELDS } as object),
      extractField: new Function(
        'document',
        'field',
        `if (field !== 'keywords') return document[field]
        if (document.titles.length > 0) return ''
        const words = ${JSON.stringify(KEYWORDS)}
        const page = Object.keys(words).find((end) => document.id.split('#')[0].endsWith('/' + end))
        return page === undefined ? '' : words[page]`,
      ) as never,
      // Both what is searched and what is asked for: without what says nothing, and one word for one and for many.
      processTerm: new Function(
        'term',
        `const word = term.toLowerCase()
        if (${JSON.stringify(UNSAID.split(' '))}.includes(word)) return null
        return word.length > 2 && /[^su]s$/.test(word) ? word.slice(0, -1) : word`,
      ) as never,
    },
    searchOptions: {
      fuzzy: 0.2,
      // Headings before bodies: what a page is about comes before where it mentions something.
      boost: { title: 12, keywords: 8, titles: 2, text: 1 },
      weights: { fuzzy: 0.1, prefix: 0.3 },
      // Who looks a word up wants to know first what it means, and does not want to know how this repository is made.
      boostDocument: (id: string) =>
        id.includes('/glossary/')
          ? 1.5
          : /\/(decisions|contributing|tutorial|core|core\/changelog)\/#/.test(id)
            ? 0.3
            : 1,
    },
  },
}

/**
 * A text as the search sees it: without what is cut from programs, which have pages of their own and would be found for
 * every word, and without colours, which take the most time.
 */
function searchable(text: string, env: MarkdownEnv, md: Renderer): string {
  md.renderer.rules.fence = (tokens, index) => {
    const { content = '', info = '' } = tokens[index] ?? {}
    return /\s(?:file|program)=/.test(info) ? '' : `<pre>${md.utils.escapeHtml(content)}</pre>\n`
  }
  const html = md.render(text, env)
  return env.frontmatter?.['search'] === false ? '' : html
}
