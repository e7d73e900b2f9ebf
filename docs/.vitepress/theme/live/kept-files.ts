/** What a reader wrote in place of a chapter's files, kept in the browser and nowhere else. */

interface Kept {
  /** What the reader wrote. */
  text: string
  /** What the chapter's file was then. */
  of: string
}

const keyOf = (chapter: string, file: string) => `live ${chapter} ${file}`

/** What was written, and whether the chapter's file is another by now; nothing where nothing was. */
export function keptFile(
  chapter: string,
  file: string,
  today: string,
): { text: string; isStale: boolean } | undefined {
  try {
    const kept = JSON.parse(localStorage.getItem(keyOf(chapter, file)) ?? 'null') as Partial<Kept> | null
    if (typeof kept?.text !== 'string' || kept.text === today) return undefined
    return { text: kept.text, isStale: kept.of !== today }
  } catch {
    return undefined // the browser keeps nothing, or somebody else has written there
  }
}

/** Keeps what was written; the chapter's own text needs no keeping. */
export function keepFile(chapter: string, file: string, text: string, of: string): void {
  try {
    if (text === of) localStorage.removeItem(keyOf(chapter, file))
    else localStorage.setItem(keyOf(chapter, file), JSON.stringify({ text, of } satisfies Kept))
  } catch {
    // The browser keeps nothing: what was written lasts as long as the page.
  }
}
