import { textOf } from '@rpi-cluster/core/messages'
import { type Html, html } from '@rpi-cluster/core/web'

/** What the webserver knows of the master. */
export interface MasterState {
  state: 'not reached yet' | 'here' | 'gone'
  /** What the master has answered last: whatever it likes. */
  details?: unknown
  /** How long ago that was. */
  ageMs?: number
}

export function homePage({ state, details, ageMs = 0 }: MasterState): Html {
  const when = ageText(ageMs)
  const texts = {
    'not reached yet': html`The master has not been reached yet. The web server goes on trying.`,
    here: html`The master is here. This is what it answered ${when}.`,
    gone: html`The master is gone. This is what it answered ${when}. The web server goes on trying.`,
  }
  return layout(
    'Raspberry Pi Cluster',
    html`<h2>The master</h2>
      <p class="state ${state === 'here' ? 'good' : 'bad'}">${texts[state]}</p>
      ${details !== undefined && detailsTable(details)}
      <p>As of ${new Date().toLocaleString('sv')}. <a href="/">Look again</a></p>`,
  )
}

/** What all pages have around them. */
function layout(title: string, main: Html): Html {
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

export function notFoundPage(): Html {
  return layout('There is no such page', html`<p>The cluster is on <a href="/">the first page</a>.</p>`)
}

/** A row for each thing that a machine tells: those that we know in words, whatever else as it is. */
function detailsTable(details: unknown): Html {
  const isObject = typeof details === 'object' && details !== null
  const rows = Object.entries(isObject ? details : { answer: details }).slice(0, MOST_ROWS)
  return html`<table>
    ${rows.map(([key, value]) => html`<tr><th scope="row">${LABELS.get(key) ?? key}</th><td>${shown(key, value)}</td></tr>`)}
  </table>`
}

/** How many rows are shown, and how much of each. A master may answer a megabyte. */
const MOST_ROWS = 30
const LONGEST_TEXT = 200

const LABELS = new Map([
  ['hostname', 'Name'],
  ['cpu', 'Processor'],
  ['cpu_cores', 'Cores'],
  ['cpu_percent_used', 'Processor in use'],
  ['ram', 'Memory'],
])

function shown(key: string, value: unknown): string {
  if (typeof value === 'number' && key === 'cpu_percent_used') return `${value.toFixed(1)} %`
  if (typeof value === 'number' && key === 'ram') return `${(value / 1024 ** 3).toFixed(1)} GiB`
  const text = textOf(value)
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text
}

function ageText(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  if (seconds < 2) return 'just now'
  if (seconds < 120) return `${seconds} seconds ago`
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} minutes ago`
  return `${Math.floor(seconds / 3_600)} hours ago`
}
