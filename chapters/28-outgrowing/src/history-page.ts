/** The history for people and for programs: what ran where, how long, and how often it was tried. The newest first. */
import { OperationalError } from '@rpi-cluster/core/lifecycle'
import type { EndedTask, TaskHistoryPage } from '@rpi-cluster/core/task-store'
import { type Html, html, type Site } from '@rpi-cluster/core/web'
import { type Asker, askHistory, ENDS, queryFrom } from './history.ts'
import { layout, swatch, timeText } from './parts.ts'

const COLUMNS = ['Task', 'Ended', 'Node', 'Time', 'Tries', 'When', 'Handed in by']

/** Adds the history to a site. Who may look at the first page may look at it. */
export function addHistory(site: Site, node: Asker) {
  site.get('/api/history', async (context) => {
    const { page, problem, status } = await answerTo(context.req.query(), node)
    return context.json(page ?? { error: problem }, status)
  })
  site.get('/history', async (context) => {
    const asked = context.req.query()
    const { page, problem, status } = await answerTo(asked, node)
    return context.html(historyHtml(asked, page, problem), status)
  })
}

interface Answered {
  status: 200 | 400 | 503
  page?: TaskHistoryPage
  problem?: string
}

/** What is not a question is told apart from a primary that is not there. */
async function answerTo(asked: object, node: Asker): Promise<Answered> {
  let status: Answered['status'] = 400
  try {
    const query = queryFrom(asked)
    status = 503
    return { status: 200, page: await askHistory(node, query) }
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error
    return { status, problem: error.message }
  }
}

function historyHtml(
  asked: Record<string, string>,
  page: TaskHistoryPage | undefined,
  problem: string | undefined,
): Html {
  const { name = '', state = '' } = asked
  return layout(
    'What has ended',
    html`<p><a href="/">The first page</a></p>
      <form class="draw" action="/history">
        <label>Name <input name="name" value="${name}" /></label>
        <label>Ended <select name="state"><option value="">in any way</option>${ENDS.map((end) => html`<option ${end === state && 'selected'}>${end}</option>`)}</select></label>
        <button>Search</button>
      </form>
      ${problem !== undefined && html`<p class="state bad">${problem}</p>`}
      ${page && tableOf(page)}
      ${page?.after !== undefined && html`<p><a href="/history?${String(new URLSearchParams({ name, state, after: String(page.after) }))}">Older ones</a></p>`}`,
  )
}

function tableOf({ tasks }: TaskHistoryPage): Html {
  if (tasks.length === 0) return html`<p>There is none.</p>`
  return html`<div class="wide" role="region" aria-label="What has ended" tabindex="0">
    <table>
      <thead>
        <tr>${COLUMNS.map((name) => html`<th scope="col">${name}</th>`)}</tr>
      </thead>
      <tbody>${tasks.map(rowOf)}</tbody>
    </table>
  </div>`
}

function rowOf({
  id,
  name,
  group,
  by,
  state,
  node,
  attempts,
  lost,
  ms,
  failure,
  reason,
  at,
}: EndedTask): Html {
  return html`<tr>
    <th scope="row">${name} ${id}${group !== undefined && html` of ${group}`}</th>
    <td class="words"><span class="state ${state === 'done' ? 'good' : 'bad'}">${state}${failure !== undefined && html`: ${failure}: ${reason}`}</span></td>
    <td>${node !== undefined && html`<span class="node">${swatch(node)} ${node}</span>`}</td>
    <td>${ms !== undefined && `${Math.round(ms)} ms`}</td>
    <td>${attempts}${lost > 0 && html`, ${lost} of them lost with a node`}</td>
    <td>${timeText(at)}</td>
    <td>${by}</td>
  </tr>`
}
