/** The work on the page: what waits, who does what, what belongs together, and what has failed. */
import type { LiveTable } from '@rpi-cluster/core/live'
import type { FailedRow, QueueRow, WorkerRow } from '@rpi-cluster/core/tasks'
import { type Html, html } from '@rpi-cluster/core/web'
import { action, inOrder, type Parts, partId, swatch, timeText } from './parts.ts'
import { DRAWS } from './pictures.ts'
import type { Work } from './work.ts'

/** The rows of the queue's table: one of all, and one of each group. */
type GroupRow = Extract<QueueRow, { group: string }>
type TotalsRow = Exclude<QueueRow, GroupRow>

/** How many names of tasks a node's row has, of those whose times it knows. */
const MOST_NAMES = 5

/** From now on the work is on the page. */
export function showWork(parts: Parts, { queue, workers, failed }: Work, stop: AbortSignal) {
  const say = () => parts.set('said', saidPart(workers.size, failed.size))
  say()
  parts.set('queue', queuePart(undefined))
  void follow(queue, stop, (id, row) => {
    if (row && 'group' in row) parts.set(partId('group', id), groupPart(id, row))
    else if (row) parts.set('queue', queuePart(row))
    else parts.delete(partId('group', id))
  })
  void follow(workers, stop, (id, row) => {
    if (row) parts.set(partId('node', id), nodePart(id, row))
    else parts.delete(partId('node', id))
    say()
  })
  void follow(failed, stop, (id, row) => {
    if (row) parts.set(partId('failed', id), failedPart(row))
    else parts.delete(partId('failed', id))
    say()
  })
}

/** Tells of each row that has changed, and of each that is there no more. */
async function follow<Row>(
  table: LiveTable<Row>,
  stop: AbortSignal,
  show: (id: string, row?: Row) => void,
): Promise<void> {
  for await (const { rows, removed } of table.follow(stop)) {
    for (const id of removed) show(id)
    for (const [id, row] of Object.entries(rows)) show(id, row)
  }
}

/** The work as it is now, for a page that begins. */
export function workHtml(rows: Readonly<Record<string, Html>>): Html {
  const of = (kind: string) =>
    Object.entries(rows)
      .filter(([id]) => id.startsWith(`${kind}-`))
      .map(([, part]) => part)
  const byName = (one: Html, other: Html) => inOrder.compare(String(one), String(other))
  return html`<h2>The queue</h2>
    ${rows['queue']}
    <h2>The nodes</h2>
    ${table('nodes', 'The nodes', ['Name', 'State', 'Slots', 'Does now', 'Done', 'Failed', 'Time a task', 'Why the last task was placed here'], of('node').sort(byName))}
    <h2>Tasks that belong together</h2>
    ${table('groups', 'Tasks that belong together', ['Group', 'Progress', 'Done', '', 'Handed in by'], of('group').toReversed())}
    <h2>Tasks that have failed</h2>
    ${table('failed', 'Tasks that have failed', ['Task', '', 'Reason', 'Attempts', 'Nodes', 'When'], of('failed').toReversed())}`
}

/** A table whose rows are parts. */
function table(id: string, label: string, columns: string[], rows: Html[]): Html {
  return html`<div class="wide" role="region" aria-label="${label}" tabindex="0">
    <table>
      <thead>
        <tr>${columns.map((name) => (name ? html`<th scope="col">${name}</th>` : html`<td></td>`))}</tr>
      </thead>
      <tbody id="${id}">
        ${rows}
      </tbody>
    </table>
  </div>`
}

/** For who cannot see the tables change: what changes seldom, and matters. */
function saidPart(nodes: number, failed: number): Html {
  return html`<p id="said" role="status" data-part>Nodes that do tasks: ${nodes}. Tasks that have failed: ${failed}.</p>`
}

function queuePart(row: TotalsRow | undefined): Html {
  const { waiting, running, done, failed, cancelled, perSecond, most, why }: Partial<TotalsRow> = row ?? {}
  const figures: [string, number | undefined][] = [
    ['Waiting', waiting],
    ['Running', running],
    ['Done', done],
    ['Failed', failed],
    ['Cancelled', cancelled],
    ['Done a second', perSecond],
  ]
  const isFull = most !== undefined && waiting !== undefined && waiting >= most
  return html`<div id="queue" data-part>
    <dl class="figures">${figures.map(([name, value]) => html`<div><dt>${name}</dt><dd>${figure(value)}</dd></div>`)}</dl>
    ${isFull && html`<p class="state bad">The queue is full: ${figure(most)} wait, and who submits has to wait, too.</p>`}
    ${why && html`<p class="state bad">Some wait that nobody can do: ${why}.</p>`}
  </div>`
}

function nodePart(id: string, row: WorkerRow): Html {
  const { node, slots, inFlight, running, done, failed, msPerTask, state, why } = row
  const names = [...new Set(running.map(({ name }) => name))]
  const doing = names.map((name) => {
    const count = running.filter((task) => task.name === name).length
    return count === 1 ? name : `${count} ${name}`
  })
  const times = Object.entries(msPerTask)
    .sort(([a], [b]) => inOrder.compare(a, b))
    .slice(0, MOST_NAMES)
  return html`<tr id="${partId('node', id)}" data-part data-into="nodes" data-sorted>
    <th scope="row">${swatch(node)} ${node}</th>
    <td><span class="state ${state === 'ready' ? 'good' : 'bad'}">${state === 'ready' ? 'ready' : 'draining: takes no more'}</span></td>
    <td>${inFlight} of ${slots}</td>
    <td>${doing.join(', ') || 'nothing'}</td>
    <td>${figure(done)}</td>
    <td>${figure(failed)}</td>
    <td>${times.map(([name, ms]) => html`<div>${name} ${figure(ms)} ms</div>`)}</td>
    <td class="words">${why}</td>
  </tr>`
}

function groupPart(id: string, row: GroupRow): Html {
  const { group, name, by, total, waiting, running, done, failed } = row
  const ended = total - waiting - running
  const cancelled = ended - done - failed
  return html`<tr id="${partId('group', id)}" data-part data-into="groups" data-first>
    <th scope="row">${name === DRAWS ? html`<a href="/pictures/${encodeURIComponent(group)}.png">${group}</a>` : group}</th>
    <td><progress max="${total}" value="${ended}" aria-label="${`Progress of ${group}`}"></progress></td>
    <td>${figure(done)} of ${figure(total)}${failed > 0 && html`, <span class="bad-word">${figure(failed)} failed</span>`}${cancelled > 0 && html`, ${figure(cancelled)} cancelled`}</td>
    <td>${ended < total && action(`/api/groups/${encodeURIComponent(group)}/cancel`, 'Cancel', group)}</td>
    <td>${by}</td>
  </tr>`
}

function failedPart({ id, name, group, by, kind, reason, attempts, lost, nodes, at }: FailedRow): Html {
  return html`<tr id="${partId('failed', id)}" data-part data-into="failed" data-first>
    <th scope="row">${name} ${id}${group !== undefined && html` of ${group}`}, by ${by}</th>
    <td>${action(`/api/tasks/${encodeURIComponent(id)}/retry`, 'Try again', `${name} ${id}`)}</td>
    <td class="words"><span class="state bad">${kind}: ${reason}</span></td>
    <td>${attempts}${lost > 0 && html`, ${lost} of them lost with a node`}</td>
    <td>${nodes.map((node) => html`<span class="node">${swatch(node)} ${node}</span> `)}</td>
    <td>${timeText(at)}</td>
  </tr>`
}

/** A number as people read it; nothing while it is not known. */
function figure(value: number | undefined): string {
  return value === undefined ? '–' : value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 })
}
