/** What all parts of the page share. Whatever stands in a template as `${...}` is text, wherever it comes from. */
import type { LiveTable } from '@rpi-cluster/core/live'
import { type Html, html } from '@rpi-cluster/core/web'
import { colourOf, hexOf } from './colours.ts'

/** The parts of the page, by their ids: each is a row of a table that browsers follow. */
export type Parts = LiveTable<Html>

/** Names as people count them: pi-2 before pi-10. */
export const inOrder = new Intl.Collator('en', { numeric: true })

/** The colour of a node. Its name stands beside it. */
export function swatch(node: string): Html {
  return html`<svg class="swatch" viewBox="0 0 1 1" aria-hidden="true"><rect width="1" height="1" fill="${hexOf(colourOf(node))}" /></svg>`
}

/** The id of a part of many, whatever its own has in it. */
export function partId(kind: string, id: string): string {
  return `${kind}-${encodeURIComponent(id)}`
}

/** A button that changes something, and says what: there are many of a kind on the page. */
export function action(address: string, word: string, of: string): Html {
  return html`<form method="post" action="${address}"><button aria-label="${`${word}: ${of}`}">${word}</button></form>`
}

/** A time as this machine's clock would show it. */
export function timeText(time: string | number | undefined): string {
  return time === undefined ? '' : new Date(time).toLocaleString('sv')
}

/** What all pages have around them. */
export function layout(title: string, main: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${title}</title>
        <link rel="stylesheet" href="/page.css" />
        <link rel="icon" href="/icon.svg" type="image/svg+xml" />
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${main}
        </main>
      </body>
    </html>`
}
