/** The page of the vitals: their past as charts, as tables, as CSV and as JSON. */
import { Refusal } from '@rpi-cluster/core/dialogue'
import { serveEvents } from '@rpi-cluster/core/event-stream'
import { OperationalError } from '@rpi-cluster/core/lifecycle'
import type { LiveTable } from '@rpi-cluster/core/live'
import type { History, HistoryQuery } from '@rpi-cluster/core/store'
import { historyFrom, type VitalsRow } from '@rpi-cluster/core/vitals'
import { type Html, html, type Site, serveFile } from '@rpi-cluster/core/web'
import { layout, timeText } from './page.ts'

/** Asks the primary for a history. */
type Ask = (about: HistoryQuery) => Promise<unknown>

/** Adds the page to a site, with all that belongs to it. `latest` has the latest vitals of each node. */
export function addVitals(site: Site, latest: LiveTable<VitalsRow>, ask: Ask) {
  const histories = new Histories(ask)
  const serve = (path: string, type: string, make: (query: Query) => Promise<string | Html>) =>
    site.get(path, async (context) => {
      try {
        const body = String(await make(context.req.query()))
        return context.body(body, 200, { 'Content-Type': `${type}; charset=utf-8` })
      } catch (error) {
        if (error instanceof NoAnswer) return context.text(`${error.message}\n`, error.status)
        throw error
      }
    })
  const asked = async (query: Query) => histories.get(vitalFrom(query), choiceFrom(query))
  serve('/vitals', 'text/html', async (query) => vitalsPage(query, latest, histories))
  serve('/vitals.csv', 'text/csv', async (query) => csvOf(await asked(query)))
  serve('/api/vitals', 'application/json', async (query) => JSON.stringify(await asked(query)))
  serveEvents(site, '/vitals/events', latest)
  serveFile(site, '/follow.js', new URL('./follow.js', import.meta.url))
  serveFile(site, '/vitals.js', new URL('./vitals.js', import.meta.url))
  serveFile(site, '/vitals.css', new URL('./vitals.css', import.meta.url))
  serveFile(site, '/uplot.js', new URL('../node_modules/uplot/dist/uPlot.iife.min.js', import.meta.url))
  serveFile(site, '/uplot.css', new URL('../node_modules/uplot/dist/uPlot.min.css', import.meta.url))
}

/** How far back the page goes, in s. */
const SPANS = { hour: 3_600, day: 86_400, week: 604_800, month: 2_592_000, year: 31_536_000 }

/** What to call what every node has. What a sensor measures is described by its node. */
const WORDS = new Map([
  ['cpu_percentage', { label: 'Processor in use', unit: '%' }],
  ['cpu_frequency', { label: 'Processor frequency', unit: 'MHz' }],
  ['ram_free', { label: 'Free memory', unit: 'bytes' }],
  ['swap_free', { label: 'Free swap', unit: 'bytes' }],
  ['cpu_temperature', { label: 'Temperature of the processor', unit: '°C' }], // also where nobody knows it
])

/** How many answers of the primary are kept. */
const MOST_KEPT = 100

/** How many nodes a table has: one of a hundred columns nobody can read. */
const MOST_COLUMNS = 10

const NO_PAST =
  'The primary does not tell the past. One in Python keeps it in InfluxDB, one of an earlier chapter not at all, and one of ours says in its log why it does not.'

type Query = Partial<Record<string, string>>

/** What somebody wants to see. */
interface Choice {
  span: keyof typeof SPANS
  /** Of which node; without, of all. */
  node: string | undefined
  /** With tables in the page, for who has no JavaScript. */
  tables: boolean
}

/** What a vital is called; and in what unit its numbers are shown, and what makes them such. */
interface Words {
  label: string
  unit: string
  shown: { unit: string; divisor: number }
}

type Shown = History & Words

/** Adds the words to a vital, or to its history. */
function inWords<About extends Pick<History, 'vital' | 'label' | 'unit'>>(about: About): About & Words {
  const words = { label: about.vital, unit: '', ...WORDS.get(about.vital), ...about }
  const isBytes = words.unit === 'bytes'
  return { ...words, shown: isBytes ? { unit: 'GiB', divisor: 2 ** 30 } : { unit: words.unit, divisor: 1 } }
}

/** Why there is no answer. */
class NoAnswer extends Error {
  readonly status: 400 | 501 | 503

  constructor(status: NoAnswer['status'], message: string) {
    super(message)
    this.status = status
  }
}

function choiceFrom({ span = 'hour', node = '', tables }: Query): Choice {
  if (!Object.hasOwn(SPANS, span) || node.length > 200)
    throw new NoAnswer(400, `The span is one of ${Object.keys(SPANS).join(', ')}, and the node is its id.`)
  return { span: span as Choice['span'], node: node || undefined, tables: tables !== undefined }
}

function vitalFrom({ vital = '' }: Query): string {
  if (/^[a-z][a-z\d_]{0,39}$/.test(vital)) return vital
  throw new NoAnswer(400, 'The vital is a name such as cpu_percentage.')
}

/** What the primary has answered. However many pages are open, it is asked once while its answer is as good as new. */
class Histories {
  readonly #ask: Ask
  readonly #kept = new Map<string, { until: number; history: Promise<Shown> }>()

  constructor(ask: Ask) {
    this.#ask = ask
  }

  get(vital: string, { span, node }: Choice): Promise<Shown> {
    const now = performance.now()
    for (const [key, { until }] of this.#kept)
      if (until < now || this.#kept.size > MOST_KEPT) this.#kept.delete(key)
    const key = JSON.stringify([vital, span, node])
    const kept = this.#kept.get(key)
    if (kept) return kept.history
    const history = this.#asked(vital, SPANS[span], node)
    history.catch(() => this.#kept.delete(key))
    this.#kept.set(key, { until: now + SPANS[span], history }) // ms: a thousandth of the span
    return history
  }

  async #asked(vital: string, seconds: number, node: string | undefined): Promise<Shown> {
    const to = Math.ceil(Date.now() / 1000)
    try {
      const about = { vital, from: to - seconds, to, ...(node !== undefined && { node }) }
      return inWords(historyFrom(await this.#ask(about)))
    } catch (error) {
      if (error instanceof Refusal) throw new NoAnswer(501, NO_PAST)
      if (error instanceof OperationalError)
        throw new NoAnswer(503, `No answer from the primary. ${error.message}`)
      throw error
    }
  }
}

async function vitalsPage(query: Query, latest: LiveTable<VitalsRow>, histories: Histories): Promise<Html> {
  const choice = choiceFrom(query)
  const { span, node = '', tables } = choice
  const { version, rows } = latest.changesSince()
  const names = new Map(Object.values(rows).map(({ node, name }) => [node, name]))
  const nodes = [...names].sort(([, a], [, b]) => inOrder.compare(a, b))
  if (node && !names.has(node)) nodes.unshift([node, node]) // of a while ago
  const measured = Object.values(rows).flatMap(({ values }) => Object.keys(values))
  const vitals = query['vital'] ? [vitalFrom(query)] : [...new Set([...WORDS.keys(), ...measured])]
  const asked = tables ? vitals.map((vital) => histories.get(vital, choice)) : []
  const answer = await Promise.all(asked).catch((error: Error) => error)
  if (answer instanceof Error && !(answer instanceof NoAnswer)) throw answer
  const address = `span=${span}&node=${encodeURIComponent(node)}`
  return layout(
    `Vitals of ${node ? (names.get(node) ?? node) : 'all nodes'}`,
    html`<form action="/vitals">
        <label>Nodes ${select('node', node, [['', 'all'], ...nodes])}</label>
        <label>Time ${select(
          'span',
          span,
          Object.keys(SPANS).map((name) => [name, `last ${name}`]),
        )}</label>
        ${tables && html`<input type="hidden" name="tables" value="yes" />`}
        <button>Show</button>
        <a href="/">The nodes</a>
      </form>
      <p id="line" role="status">${answer instanceof NoAnswer && answer.message}</p>
      <div id="vitals" data-span="${span}" data-seconds="${SPANS[span]}" data-node="${node}" data-zone="${ZONE}" data-version="${version}">
        ${vitals.map((vital, index) => vitalPart(vital, address, answer instanceof NoAnswer ? undefined : answer[index]))}
      </div>
      <script src="/uplot.js" defer></script>
      <script type="module" src="/vitals.js"></script>`,
    html`<link rel="stylesheet" href="/uplot.css" />
      <link rel="stylesheet" href="/vitals.css" />
      ${!tables && html`<noscript><meta http-equiv="refresh" content="0; url=/vitals?${`${address}&tables=yes`}" /></noscript>`}`,
  )
}

/** A chart has the times that the tables have, wherever it is looked at. */
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone

const KEYS = 'Left and right go through time, up and down from node to node.'

/** Names as people count them: pi-2 before pi-10. */
const inOrder = new Intl.Collator('en', { numeric: true })

function select(name: string, chosen: string, options: (readonly [value: string, text: string])[]): Html {
  return html`<select name="${name}">
    ${options.map(([value, text]) => html`<option value="${value}" ${value === chosen && 'selected'}>${text}</option>`)}
  </select>`
}

/** A vital. Its chart is drawn in the browser. */
function vitalPart(vital: string, address: string, history: Shown | undefined): Html {
  const { label, shown } = history ?? inWords({ vital })
  return html`<section data-vital="${vital}" aria-labelledby="vital-${vital}">
    <h2 id="vital-${vital}">${shown.unit ? `${label}, ${shown.unit}` : label}</h2>
    <p class="readout" role="status"></p>
    <div class="chart" role="application" aria-roledescription="chart" aria-label="${`${label}. ${KEYS}`}" tabindex="0"></div>
    <details ${history && 'open'}>
      <summary>As a table</summary>
      <div class="wide" role="region" aria-label="${label} as a table" tabindex="0">${history && tableOf(history)}</div>
    </details>
    <p><a href="/vitals.csv?${`vital=${vital}&${address}`}" download="${vital}.csv">As CSV</a></p>
  </section>`
}

/** The newest comes first. */
function tableOf({ shown, times, lines }: Shown): Html {
  const columns = lines.slice(0, MOST_COLUMNS)
  const text = (value: number | null | undefined) =>
    value == null ? '' : (value / shown.divisor).toLocaleString('en', { maximumSignificantDigits: 4 })
  return html`<table>
    <thead><tr><th scope="col">Time</th>${columns.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr></thead>
    <tbody>
      ${times
        .map(
          (time, index) =>
            html`<tr><th scope="row">${timeText(time * 1000)}</th>${columns.map(({ mean }) => html`<td>${text(mean[index])}</td>`)}</tr>`,
        )
        .toReversed()}
    </tbody>
  </table>`
}

/** As RFC 4180 has it: a row for each time, a column for each node. */
function csvOf({ times, lines }: Shown): string {
  const rows = [
    ['time', ...lines.map(({ name }) => name)],
    ...times.map((time, index) => [
      new Date(time * 1000).toISOString(),
      ...lines.map(({ mean }) => mean[index] ?? ''),
    ]),
  ]
  return rows.map((row) => `${row.map(cellOf).join(',')}\r\n`).join('')
}

/** A name is a name, and not a formula of whoever opens the file. */
function cellOf(value: string | number): string | number {
  if (typeof value === 'number') return value
  const text = value.replace(/^(?=[=+@\t-])/, "'")
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
