/** Finds the paragraph of a chapter's README that explains a promise. */
import { toString as textOf } from 'mdast-util-to-string'
import { readReadme } from './readme.ts'

/** The sections that explain; the others promise, show, compare or point elsewhere. */
const EXPLAINS = /^(what changed since|the programs?$|what the core does)/i

interface Paragraph {
  line: number
  /** The heading it stands under. */
  heading: string
  words: Set<string>
}

/**
 * Where a chapter's README says most about a promise, as `chapters/05-json/README.md:82, under "The programs"`.
 * Nobody keeps a list of what is explained where: it is the paragraph that shares the most words with
 * the promise, where a rare word counts for more than one that many paragraphs have.
 */
export function whereExplained(chapter: string, promise: string): string {
  const file = `chapters/${chapter}/README.md`
  const paragraphs = explainingParagraphs(file)
  const wanted = [...wordsOf(promise)]
  const score = ({ words }: Paragraph) =>
    wanted
      .filter((word) => words.has(word))
      .map((word) =>
        Math.log((1 + paragraphs.length) / paragraphs.filter(({ words }) => words.has(word)).length),
      )
      .reduce((sum, weight) => sum + weight, 0)
  const best = paragraphs.toSorted((a, b) => score(b) - score(a))[0]
  return best && score(best) > 0 ? `${file}:${best.line}, under "${best.heading}"` : file
}

function explainingParagraphs(readme: string): Paragraph[] {
  const paragraphs: Paragraph[] = []
  let explains = false
  let heading = ''
  for (const node of readReadme(readme).tree.children) {
    if (node.type === 'heading') {
      heading = textOf(node)
      if (node.depth <= 2) explains = EXPLAINS.test(heading)
    } else if (explains && node.type !== 'code') {
      paragraphs.push({ line: node.position?.start.line ?? 1, heading, words: wordsOf(textOf(node)) })
    }
  }
  return paragraphs
}

/** The words of a text, each once, without the short ones and without endings. */
function wordsOf(text: string): Set<string> {
  const words = text.toLowerCase().match(/\p{L}{3,}/gu) ?? []
  return new Set(words.map((word) => word.replace(/(s|ed|ing)$/, '')))
}
