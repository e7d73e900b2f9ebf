/** What programs and forms may ask of the cluster: as JSON, or by a button of the page. */
import { randomUUID } from 'node:crypto'
import type { ElectionWatch } from '@rpi-cluster/core/election'
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import type { NewTask, TaskClient } from '@rpi-cluster/core/tasks'
import { html, type Site } from '@rpi-cluster/core/web'
import { layout } from './parts.ts'
import { type PictureOptions, tilesOf } from './picture.ts'
import { DRAWS, type Pictures } from './pictures.ts'

/** How long somebody waits for the primary to take what he hands in, in ms. */
const LONGEST_MS = 10_000

/** Adds the API to a site. What changes something is asked only by who may: the site sees to that. */
export function addApi(site: Site, tasks: TaskClient, pictures: Pictures, watch: ElectionWatch) {
  const stop = stopSignal()
  const submit = async (list: NewTask[]) => {
    const giveUp = new AbortController()
    const timer = setTimeout(() => giveUp.abort('late'), LONGEST_MS)
    try {
      const either = AbortSignal.any([stop, giveUp.signal])
      return await tasks.submit(list, { onFull: () => giveUp.abort('full'), stop: either })
    } catch (error) {
      if (stop.aborted) throw new NotDone(503, 'The web server is being stopped.')
      if (!giveUp.signal.aborted) throw error
      throw new NotDone(
        503,
        giveUp.signal.reason === 'full'
          ? 'The queue is full. Try again when less waits.'
          : 'Nobody who leads answers. Try again when somebody leads.',
      )
    } finally {
      clearTimeout(timer)
    }
  }

  site.get('/api/members', (context) =>
    answer(context, 200, async () => ({
      leader: watch.leader?.name ?? null,
      members: [...watch.views].map(([name, { view, isReachable, since }]) => ({
        ...{ name, isReachable, since, view: view ?? null },
      })),
    })),
  )
  site.post('/api/leader/:name', (context) =>
    answer(context, 200, async () => {
      const name = context.req.param('name')
      if (!watch.views.has(name))
        throw new NotDone(404, `There is no such member: ${[...watch.views.keys()].join(', ')}.`)
      const leads = watch.leader?.name === name || (await watch.handOver(name))
      if (!leads)
        throw new NotDone(
          503,
          `${name} was not elected: ${watch.leader?.name ?? 'nobody'} leads. Is it there?`,
        )
      return { leader: name }
    }),
  )
  site.post('/api/tasks', (context) =>
    answer(context, 202, async () => {
      const [id] = await submit([taskFrom(context.get('said'))])
      return { id }
    }),
  )
  site.post('/api/pictures', (context) =>
    answer(context, 202, async () => {
      const tiles = tilesFrom(context.get('said'))
      const group = `picture-${randomUUID().slice(0, 8)}`
      try {
        await submit(tiles.map((input) => ({ name: DRAWS, input, group })))
      } catch (error) {
        await tasks.cancel({ group }).catch(() => {}) // half a picture is of no use
        throw error
      }
      if (tiles[0]) pictures.begin(group, tiles[0])
      return { group, tiles: tiles.length }
    }),
  )
  site.get('/api/tasks', (context) =>
    answer(context, 200, async () => {
      const { group, state } = context.req.query()
      if (group !== undefined) return { tasks: await tasks.states({ group }) }
      if (state === 'failed') return { tasks: await tasks.failed() }
      throw new NotDone(400, 'Say which tasks: ?group=NAME, or ?state=failed.')
    }),
  )
  site.get('/api/tasks/:id', (context) =>
    answer(context, 200, async () => {
      const id = context.req.param('id')
      const [task] = await tasks.states({ ids: [id] })
      if (!task) throw new NotDone(404, `There is no task ${id}. One that has ended is kept for an hour.`)
      return task
    }),
  )
  site.delete('/api/tasks/:id', (context) =>
    answer(context, 200, async () => ({ count: await tasks.cancel({ ids: [context.req.param('id')] }) })),
  )
  // A form of a page has no DELETE.
  for (const [method, path] of [
    ['DELETE', '/api/groups/:group'],
    ['POST', '/api/groups/:group/cancel'],
  ] as const)
    site.on(method, path, (context) =>
      answer(context, 200, async () => ({
        count: await tasks.cancel({ group: context.req.param('group') }),
      })),
    )
  site.post('/api/tasks/:id/retry', (context) =>
    answer(context, 200, async () => ({ count: await tasks.retry({ ids: [context.req.param('id')] }) })),
  )
}

/** Why something is not done, as HTTP says it. */
class NotDone extends Error {
  readonly status: 400 | 404 | 503

  constructor(status: NotDone['status'], message: string) {
    super(message)
    this.status = status
  }
}

/** What a site gives to its pages. */
type Asked = Parameters<NonNullable<Parameters<Site['notFound']>[0]>>[0]

/** Does something, and says what came of it: JSON to a program, and the first page again to who has pressed a button there. */
async function answer(context: Asked, status: 200 | 202, work: () => Promise<object>): Promise<Response> {
  const isForm = context.req.header('Accept')?.includes('text/html') && context.req.method === 'POST'
  try {
    const done = await work()
    return isForm ? context.redirect('/', 303) : context.json(done, status)
  } catch (error) {
    // The primary is not there, or refuses it.
    if (!(error instanceof NotDone || error instanceof OperationalError)) throw error
    const code = error instanceof NotDone ? error.status : 503
    return isForm
      ? context.html(
          layout('Not done', html`<p>${error.message}</p><p><a href="/">The first page</a></p>`),
          code,
        )
      : context.json({ error: error.message }, code)
  }
}

function taskFrom(said: unknown): NewTask {
  const { name, input, group, requires, ...others } = (said ?? {}) as Partial<NewTask>
  const areTexts = Array.isArray(requires) && requires.every((what) => typeof what === 'string')
  const isGood = typeof name === 'string' && ['string', 'undefined'].includes(typeof group)
  if (!isGood || (requires !== undefined && !areTexts) || Object.keys(others).length > 0)
    throw new NotDone(
      400,
      'A task is {"name": "mandelbrot", "input": ...}. It may have a "group", which is a text, and "requires", a list of texts; nothing else.',
    )
  return { name, input, ...(group !== undefined && { group }), ...(requires && { requires }) }
}

/** A form has texts where JSON has numbers. */
function tilesFrom(said: unknown) {
  const { width, height, tile, view } = (said ?? {}) as Partial<Record<keyof PictureOptions, unknown>>
  const sizes = Object.entries({ width, height, tile })
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([key, value]) => [key, typeof value === 'string' ? Number(value) : value])
  try {
    return tilesOf({ ...Object.fromEntries(sizes), ...(view !== undefined && { view }) } as PictureOptions)
  } catch (error) {
    if (error instanceof OperationalError) throw new NotDone(400, error.message)
    throw error
  }
}
