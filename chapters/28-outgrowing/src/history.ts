/** What has ended, page by page: what may be asked of it, the webserver's question, and the primary's answer. */
import type { Answers } from '@rpi-cluster/core/dialogue'
import { OperationalError } from '@rpi-cluster/core/lifecycle'
import type { ConnectingNode } from '@rpi-cluster/core/node'
import type { TaskHistoryPage, TaskHistoryQuery, TaskStore } from '@rpi-cluster/core/task-store'

/** Who asks: a node that is connected to the primary. */
export type Asker = Pick<ConnectingNode, 'ask'>

/** How many tasks a page has. */
const A_PAGE = 50

/** How a task can have ended. */
export const ENDS = ['done', 'failed', 'cancelled'] as const

/**
 * What is asked, from the address of a page or from the network: `name`, `state`, and `after`, which the page before has said.
 *
 * @throws OperationalError when that is no question
 */
export function queryFrom(said: unknown): TaskHistoryQuery {
  const { name, state, after } = Object(said) as Record<string, unknown>
  if (name !== undefined && typeof name !== 'string')
    throw new OperationalError('The name of a task is a text.')
  const end = ENDS.find((one) => one === state)
  if (state !== undefined && state !== '' && end === undefined)
    throw new OperationalError(`A task has ended as one of ${ENDS.join(', ')}.`)
  const from = after === undefined ? undefined : Number(after)
  if (from !== undefined && !Number.isSafeInteger(from))
    throw new OperationalError('Where a page begins is said by the page before, in "after".')
  return {
    limit: A_PAGE,
    ...(name && { name }),
    ...(end && { state: end }),
    ...(from !== undefined && { after: from }),
  }
}

/** The primary's answer, to those who may hand in work. */
export function tellHistory(store: TaskStore, submitters: () => readonly string[]): Answers[string] {
  return async ({ node }, about) => {
    const mayAsk = node !== undefined && submitters().includes(node)
    const refused = 'who asks is not among those who may hand in tasks'
    const payload = mayAsk ? await pageOf(store, about) : { refused }
    return { type: 'task_history', payload }
  }
}

async function pageOf(store: TaskStore, about: unknown): Promise<TaskHistoryPage | { refused: string }> {
  try {
    return await store.history(queryFrom(about))
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error
    return { refused: error.message }
  }
}

/**
 * The webserver's question.
 *
 * @throws OperationalError when the primary is not there, or refuses it
 */
export async function askHistory(node: Asker, query: TaskHistoryQuery): Promise<TaskHistoryPage> {
  const answer = await node.ask('task_history', { answer: 'task_history', about: query })
  const { tasks, after, refused } = Object(answer) as Partial<TaskHistoryPage & { refused: string }>
  if (refused !== undefined) throw new OperationalError(`The primary refuses that: ${refused}`)
  if (!Array.isArray(tasks)) throw new OperationalError('What the primary answers is no history.')
  return { tasks, ...(after !== undefined && { after }) }
}
