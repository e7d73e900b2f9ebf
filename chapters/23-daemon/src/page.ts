/** What people see. Whatever stands in a template as `${...}` is text, wherever it comes from. */
import { serveEvents } from '@rpi-cluster/core/event-stream'
import { LiveTable, type NodeRow } from '@rpi-cluster/core/live'
import { textOf } from '@rpi-cluster/core/messages'
import type { AlarmRow } from '@rpi-cluster/core/sensors'
import { type Html, html, type Site, serveFile } from '@rpi-cluster/core/web'

/** Adds the first page to a site, with all that belongs to it. */
export function addHome(site: Site, page: HomePage, nodes: LiveTable<NodeRow>) {
  site.get('/', (context) => context.html(page.html()))
  site.on('GET', ['/api/primary', '/api/master'], (context) => context.json(page.primary))
  site.get('/api/nodes', (context) => context.json(Object.fromEntries(nodes.entries())))
  serveEvents(site, '/events', page.parts)
  serveFile(site, '/page.css', new URL('./page.css', import.meta.url))
  serveFile(site, '/page.js', new URL('./page.js', import.meta.url))
  serveFile(site, '/icon.svg', new URL('./icon.svg', import.meta.url))
}

/** What the webserver knows of the primary. */
export interface PrimaryState {
  state: 'not reached yet' | 'here' | 'gone'
  /** What the primary has answered last: whatever it likes. */
  details?: unknown
  /** When that was, as ISO 8601 has it. */
  answered?: string
}

/** The page, and its parts: each is a row of a table that browsers follow. */
export class HomePage {
  readonly parts = new LiveTable<Html>()
  primary: PrimaryState = { state: 'not reached yet' }

  readonly #nodes: LiveTable<NodeRow>
  readonly #alarms: LiveTable<AlarmRow>

  constructor(nodes: LiveTable<NodeRow>, alarms: LiveTable<AlarmRow>, stop: AbortSignal) {
    this.#nodes = nodes
    this.#alarms = alarms
    void this.#follow(stop)
    void this.#followAlarms(stop)
  }

  primaryAnswers(details: unknown) {
    this.#showPrimary({ state: 'here', details, answered: new Date().toISOString() })
  }

  primaryIsGone() {
    if (this.primary.state === 'here') this.#showPrimary({ ...this.primary, state: 'gone' })
  }

  #showPrimary(state: PrimaryState) {
    this.primary = state
    this.parts.set('primary', primaryPart(state))
  }

  async #follow(stop: AbortSignal) {
    this.#showPrimary(this.primary)
    for await (const { rows, removed } of this.#nodes.follow(stop)) {
      for (const id of removed) this.parts.delete(partId(id))
      for (const [id, row] of Object.entries(rows)) this.parts.set(partId(id), nodePart(id, row))
      this.parts.set('count', countPart(this.#nodes))
    }
  }

  async #followAlarms(stop: AbortSignal) {
    this.#showAlarms()
    for await (const _ of this.#alarms.follow(stop)) this.#showAlarms()
  }

  #showAlarms() {
    const alarms = this.#alarms.entries().map(([, alarm]) => alarm)
    this.parts.set('alarm-count', alarmCountPart(alarms))
    this.parts.set('alarms', alarmsPart(alarms))
  }

  html(): Html {
    const { version, rows } = this.parts.changesSince()
    const { primary, count, 'alarm-count': alarmCount, alarms, ...nodes } = rows
    return layout(
      'Raspberry Pi Cluster',
      html`<p id="line" role="status"></p>
        <noscript><p>As of ${new Date().toLocaleString('sv')}. <a href="/">Look again</a></p></noscript>
        <h2>Alarms</h2>
        ${alarmCount}
        ${alarms}
        <h2>The primary</h2>
        ${primary}
        <h2>The nodes</h2>
        ${count}
        <p><a href="/vitals">The vitals of all</a></p>
        <div class="wide" role="region" aria-label="The nodes" tabindex="0">
          <table>
            <thead>
              <tr>${COLUMNS.map((name) => html`<th scope="col">${name}</th>`)}</tr>
            </thead>
            <tbody id="nodes" data-version="${version}">
              ${Object.values(nodes)}
            </tbody>
          </table>
        </div>
        <script type="module" src="/page.js"></script>`,
    )
  }
}

const COLUMNS = ['Name', 'State', 'Address', 'Here since', 'Machine', 'Identity']

/** The id of a node's row on the page, whatever its own has in it. */
function partId(id: string): string {
  return `node-${encodeURIComponent(id)}`
}

function nodePart(
  id: string,
  { name, state, seen, copy, address, since, uuid, details = {} }: NodeRow,
): Html {
  const words = {
    here: 'here',
    silent: `silent, last heard at ${timeText(seen)}`,
    gone: `gone, last heard at ${timeText(seen)}`,
  }
  const own = details['program'] ? undefined : (uuid ?? details['hostname']) // by this its vitals are kept
  return html`<tr id="${partId(id)}" data-part>
    <th scope="row">${own ? html`<a href="/vitals?node=${encodeURIComponent(own)}">${name}</a>` : name}${details['program'] && html` (${details['program']})`}</th>
    <td class="words"><span class="state ${state === 'here' ? 'good' : 'bad'}">${words[state]}${copy && ', a copy of another'}</span></td>
    <td>${address}</td>
    <td>${timeText(since)}</td>
    <td>${machineText(details)}</td>
    <td>${uuid?.slice(0, 8)}</td>
  </tr>`
}

/** How many there are, for who cannot see the table change. */
function countPart(nodes: LiveTable<NodeRow>): Html {
  const count = (state: NodeRow['state']) => nodes.entries().filter(([, row]) => row.state === state).length
  return html`<p id="count" role="status" data-part>Here: ${count('here')}. Silent: ${count('silent')}. Gone: ${count('gone')}.</p>`
}

/** How many alarms there are, and the newest, for who cannot see the list change. */
function alarmCountPart(alarms: AlarmRow[]): Html {
  const newest = alarms.at(-1)
  const text = newest ? `${alarms.length}. The newest: ${newest.name} is ${newest.says}.` : 'None.'
  return html`<p id="alarm-count" role="status" data-part>${text}</p>`
}

function alarmsPart(alarms: AlarmRow[]): Html {
  return html`<ul id="alarms" data-part>
    ${alarms.map(({ name, says, detail, since }) => html`<li class="state bad">${name} is ${says}: ${detail}, since ${timeText(since)}</li>`)}
  </ul>`
}

function primaryPart({ state, details, answered }: PrimaryState): Html {
  const texts = {
    'not reached yet': html`The primary has not been reached yet. The web server goes on trying.`,
    here: html`The primary is here. This is what it answered at ${timeText(answered)}.`,
    gone: html`The primary is gone. This is what it answered at ${timeText(answered)}, and the nodes are those of then. The web server goes on trying.`,
  }
  return html`<div id="primary" data-part>
    <p class="state ${state === 'here' ? 'good' : 'bad'}">${texts[state]}</p>
    ${details !== undefined && detailsTable(details)}
  </div>`
}

export function notFoundPage(): Html {
  return layout('There is no such page', html`<p>The cluster is on <a href="/">the first page</a>.</p>`)
}

/** What all pages have around them. */
export function layout(title: string, main: Html, head?: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${title}</title>
        <link rel="stylesheet" href="/page.css" />
        <link rel="icon" href="/icon.svg" type="image/svg+xml" />
        ${head}
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${main}
        </main>
      </body>
    </html>`
}

/** A row for each thing that a machine tells: those that we know in words, whatever else as it is. */
function detailsTable(details: unknown): Html {
  const isObject = typeof details === 'object' && details !== null
  const rows = Object.entries(isObject ? details : { answer: details }).slice(0, MOST_ROWS)
  return html`<table>
    ${rows.map(([key, value]) => html`<tr><th scope="row">${LABELS.get(key) ?? key}</th><td>${shown(key, value)}</td></tr>`)}
  </table>`
}

/** How many rows are shown, and how much of each. A primary may answer a megabyte. */
const MOST_ROWS = 30
const LONGEST_TEXT = 200

const LABELS = new Map([
  ['hostname', 'Name'],
  ['cpu', 'Processor'],
  ['cpu_cores', 'Cores'],
  ['cpu_percent_used', 'Processor in use'],
  ['ram', 'Memory'],
  ['swap', 'Swap space'],
  ['cpu_frequency_max', 'Highest frequency'],
  ['cpu_frequency_min', 'Lowest frequency'],
])

function shown(key: string, value: unknown): string {
  if (typeof value === 'number' && key === 'cpu_percent_used') return `${value.toFixed(1)} %`
  if (typeof value === 'number' && /^(ram|swap)$/.test(key)) return `${(value / 1024 ** 3).toFixed(1)} GiB`
  if (typeof value === 'number' && /^cpu_frequency/.test(key)) return value > 0 ? `${value} MHz` : 'not known'
  const text = textOf(value)
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text
}

function machineText({ cpu, cpu_cores, ram }: NonNullable<NodeRow['details']>): string {
  const cores = cpu_cores === undefined ? undefined : `${cpu_cores} ${cpu_cores === 1 ? 'core' : 'cores'}`
  return [cpu, cores, ram && shown('ram', ram)].filter(Boolean).join(', ')
}

/** A time as this machine's clock would show it. */
export function timeText(time: string | number | undefined): string {
  return time === undefined ? '' : new Date(time).toLocaleString('sv')
}
