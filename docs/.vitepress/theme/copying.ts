/** Copies code, for the buttons that do so. */

/** Copies a text, and has it said for two seconds that it did, or what to do instead. */
export async function copied(text: string, say: (words: string) => void): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    say('Copied')
  } catch {
    say('Select the text and copy it: the browser lets no page do that here')
  }
  setTimeout(() => say(''), 2000)
}

/** The code in the section that a button stands in. */
export function codeBeside(button: Element | null): string {
  return button?.closest('section, details')?.querySelector('pre')?.textContent ?? ''
}
