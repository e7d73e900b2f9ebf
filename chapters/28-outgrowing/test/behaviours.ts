/**
 * What a queue does, each as one story that is tried on each queue: its name, what happens, and how it went, in words. Where the
 * queues differ, `is` says what each does, and the table of the README is made of these.
 */
import { closeSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { hasEnded, type NewTask, type TaskEnd, type TaskState } from '@rpi-cluster/core/tasks'
import { vi } from 'vitest'
import { PATIENCE } from './cluster.ts'
import { LEASE_SECONDS, type World } from './world.ts'

export interface Behaviour {
  /** What is tried. */
  what: string
  /** What comes of it: for all, or for each. */
  is: string | { readonly own: string; readonly engine: string }
  /** Tries it. Returns what came of it. */
  run: (world: World) => Promise<string>
}

const draw = (id: string): NewTask => ({ id, name: 'trouble', input: id, group: 'quick' })

/** A task that writes a line, and takes so long after that. */
export function note(world: World, id: string, seconds = 0, requires: string[] = []): NewTask {
  return { id, name: 'note', input: { file: notesOf(world), line: id, seconds }, requires, group: 'notes' }
}

const notesOf = ({ chapter }: World) => join(chapter.folder, 'notes.txt')

/** How often a line was written. */
export function written(world: World, line: string): number {
  try {
    return readFileSync(notesOf(world), 'utf8')
      .split('\n')
      .filter((one) => one === line).length
  } catch {
    return 0
  }
}

/** Hands tasks in, and waits for their ends. */
async function ends({ client }: World, tasks: NewTask[]): Promise<TaskEnd[]> {
  await client.submit(tasks, { follow: true, stop: new AbortController().signal })
  const ends: TaskEnd[] = []
  for await (const end of client.ends()) ends.push(end)
  return ends
}

export async function handIn({ client }: World, tasks: NewTask[]) {
  return await client.submit(tasks, { stop: new AbortController().signal })
}

/** Waits until a task is as it is wanted. */
export async function until({ ask }: World, id: string, isWanted: (task: TaskState) => boolean) {
  return await vi.waitFor(async () => {
    const [task] = await ask((client) => client.states({ ids: [id] }))
    if (!task || !isWanted(task)) throw new Error(`${id} is ${task?.state}`)
    return task
  }, PATIENCE)
}

const told = ({ state, attempts, lost, kind }: TaskState) =>
  `${state}${kind ? ` (${kind})` : ''}, ${attempts === 1 ? 'one try' : `${attempts} tries`}${lost > 0 ? `, ${lost} lost` : ''}`

/** What needs no fault. */
export const quick: Behaviour[] = [
  {
    what: 'Tasks are handed in',
    is: '3 of 3 done, one try',
    run: async (world) => {
      const all = await ends(world, ['quick-1', 'quick-2', 'quick-3'].map(draw))
      const how = new Set(all.map(told))
      return `${all.length} of 3 ${[...how].join('; ')}`
    },
  },
  {
    what: 'The same id is handed in twice at once, and again when it has ended',
    is: 'one task: done, one try, written once',
    run: async (world) => {
      await Promise.all([handIn(world, [note(world, 'twice')]), handIn(world, [note(world, 'twice')])])
      await until(world, 'twice', hasEnded)
      const [end] = await ends(world, [note(world, 'twice')])
      return `one task: ${end && told(end)}, written ${written(world, 'twice') === 1 ? 'once' : 'more often'}`
    },
  },
  {
    what: 'A task throws, each time',
    is: 'failed (threw), 3 tries; among the failed; tried again on request: failed (threw), 3 tries',
    run: async (world) => {
      const { ask } = world
      const [end] = await ends(world, [{ id: 'bad', name: 'trouble', input: 'throw' }])
      const failed = await ask((client) => client.failed())
      await ask((client) => client.retry({ ids: ['bad'] }))
      await until(world, 'bad', (task) => !hasEnded(task))
      const again = await until(world, 'bad', hasEnded)
      const isListed = failed.some(({ id }) => id === 'bad')
      return `${end && told(end)}; ${isListed ? '' : 'not '}among the failed; tried again on request: ${told(again)}`
    },
  },
  {
    what: 'A task requires what one node has',
    is: 'done there',
    run: async (world) => {
      const wanted = world.names.at(-1) ?? ''
      const [end] = await ends(world, [note(world, 'there', 0, [wanted])])
      return end?.node === wanted ? `${end.state} there` : `${end?.state} on ${end?.node}, not on ${wanted}`
    },
  },
  {
    what: 'More are handed in than may wait',
    is: '20 taken, and told that it is full; with room the others, too',
    run: async ({ client, ask }) => {
      const tasks = Array.from({ length: 25 }, (_, index) => ({
        ...{ id: `many-${index}`, name: 'trouble', input: 'wait', requires: ['a-camera'], group: 'many' },
      }))
      let taken = 0
      const onFull = (full: { taken: number }) => {
        if (taken === 0) void ask((client) => client.cancel({ ids: tasks.slice(0, 5).map(({ id }) => id) }))
        taken ||= full.taken
      }
      await client.submit(tasks, { onFull, stop: new AbortController().signal })
      const states = await ask((client) => client.states({ group: 'many' }))
      await client.cancel({ group: 'many' })
      const others = states.length === 25 ? 'the others, too' : `${states.length}`
      return `${taken} taken, and told that it is full; with room ${others}`
    },
  },
  {
    what: 'A group is cancelled: one task of it at work, one that nobody can do',
    is: '2 cancelled, and none of them goes on',
    run: async (world) => {
      const { ask, client } = world
      await handIn(world, [note(world, 'at-work', 60), note(world, 'for-nobody', 0, ['a-camera'])])
      await until(world, 'at-work', ({ state }) => state === 'running')
      const count = await client.cancel({ group: 'notes' })
      const states = await ask((client) => client.states({ ids: ['at-work', 'for-nobody'] }))
      const [after] = await ends(world, [note(world, 'after')])
      const are = states.every(({ state }) => state === 'cancelled') && after?.state === 'done'
      return `${count} cancelled, and ${are ? 'none of them goes' : 'some go'} on`
    },
  },
]

/** Faults. Each finds the cluster whole, and leaves it so. */
export const faults: Behaviour[] = [
  {
    what: 'A node is killed that does a task',
    is: {
      own: 'another one has it as soon as the connection is lost: done, 2 tries, 1 lost, written twice',
      engine: 'another one has it when its lease ends: done, 2 tries, 1 lost, written twice',
    },
    run: async (world) => {
      const { nodes } = world
      const { id, node } = await onANodeThatDoesNotLead(world, 'killed')
      const begin = performance.now()
      await nodes.kill(node)
      await until(world, id, (task) => task.node !== node && task.state !== 'waiting')
      const when =
        performance.now() - begin < (LEASE_SECONDS * 1_000) / 2
          ? 'as soon as the connection is lost'
          : 'when its lease ends'
      const end = await until(world, id, hasEnded)
      await nodes.start(node)
      return `another one has it ${when}: ${told(end)}, written ${written(world, id) === 2 ? 'twice' : `${written(world, id)} times`}`
    },
  },
  {
    what: 'A node stands still that does a task, and wakes when another one has done it',
    is: 'done, 2 tries, 1 lost; what the sleeper says of it changes nothing',
    run: async (world) => {
      const { nodes } = world
      const { id, node } = await onANodeThatDoesNotLead(world, 'frozen')
      nodes.of(node).signal('SIGSTOP')
      const end = await until(world, id, hasEnded)
      nodes.of(node).signal('SIGCONT')
      const [there] = await ends(world, [note(world, `${id}-after`, 0, [node])]) // it has come to itself
      const after = await until(world, id, hasEnded)
      const changes = after.node === end.node && told(after) === told(end) && there?.state === 'done'
      return `${told(end)}; what the sleeper says of it changes ${changes ? 'nothing' : 'something'}`
    },
  },
  {
    what: 'What has the queue is killed while 20 tasks are done, and started again',
    is: '20 of 20 done',
    run: async (world) => {
      const { nodes, kinds, watch } = world
      const ids = Array.from({ length: 20 }, (_, index) => `through-${index}`)
      await handIn(
        world,
        ids.map((id) => note(world, id, 0.2)),
      )
      if (kinds.queue === 'nats') {
        await world.killEngines()
        await world.startEngines()
      } else {
        const { name, term } = await watch.whenLed()
        await nodes.kill(name)
        await nodes.lead({ after: term })
        await nodes.start(name)
      }
      for (const id of ids) await until(world, id, hasEnded)
      const states = await world.ask((client) => client.states({ ids }))
      return `${states.filter(({ state }) => state === 'done').length} of 20 done`
    },
  },
  {
    what: 'Who leads is killed, and somebody asks the next one for tasks that were handed in before',
    is: 'it has them, and they are done',
    run: async (world) => {
      const { nodes, watch } = world
      const id = 'kept'
      const { name, term } = await watch.whenLed()
      await handIn(world, [note(world, id, 1)])
      await nodes.kill(name)
      await nodes.lead({ after: term })
      const end = await until(world, id, hasEnded)
      await nodes.start(name)
      return `it has them, and they are ${end.state}`
    },
  },
]

/** Hands in tasks until a node has one that does not lead, and leaves it that alone. */
async function onANodeThatDoesNotLead(world: World, prefix: string): Promise<{ id: string; node: string }> {
  const { names, watch, client } = world
  const ids = names.map((name) => `${prefix}-${name}`)
  await handIn(
    world,
    ids.map((id) => note(world, id, 2)),
  )
  const leader = watch.leader?.name
  const running = await Promise.all(ids.map((id) => until(world, id, ({ state }) => state === 'running')))
  const one = running.find(({ node }) => node !== leader)
  if (!one) throw new Error('Nobody but the leader does tasks')
  await client.cancel({ ids: ids.filter((id) => id !== one.id) })
  return { id: one.id, node: one.node ?? '' }
}

/** How much is free on the small disk, in bytes, when it is nearly full, and how much is handed in then at once. */
const ROOM_BYTES = 2_000_000
const INPUT_BYTES = 200_000

/** How long an answer may take until there is none, in ms: several times what those take who give one. */
const NO_ANSWER_MS = 20_000

/** A full disk. It takes a file system of its own, which not every user may make. */
export const fullDisk: Behaviour = {
  what: 'The disk becomes full while tasks are handed in, and there is room again later',
  is: {
    own: 'not answered; with room taken again; all that was taken is done',
    engine: 'not answered; with room and a new start of it taken again; all that was taken is done',
  },
  run: async (world) => {
    const ballast = join(world.chapter.folder, 'state', 'ballast')
    await ends(world, [draw('before')]) // what is made for the first of a kind is there
    fill(ballast)
    truncateSync(ballast, statSync(ballast).size - ROOM_BYTES)
    const taken: string[] = []
    const handInLarge = async () => {
      const id = `large-${taken.length}`
      const task = { id, name: 'trouble', input: 'x'.repeat(INPUT_BYTES) }
      taken.push(...(await world.client.submit([task], { stop: AbortSignal.timeout(NO_ANSWER_MS) })))
    }
    let how: string | undefined
    for (let count = 0; how === undefined && count < 500; count += 1)
      how = await handInLarge().then(
        () => undefined,
        ({ name, message }) =>
          name === 'OperationalError' || name === 'Refused' ? `refused: ${message}` : 'not answered',
      )
    rmSync(ballast)
    console.info(`${world.kinds.queue}, full: ${taken.length} taken, then: ${how}`)
    let again = 'with room'
    const isTaken = await handInLarge().then(
      () => true,
      () => false,
    )
    if (!isTaken) {
      await world.killEngines()
      await world.startEngines()
      await handIn(world, [draw('at-last')])
      again = 'with room and a new start of it'
    }
    for (const id of taken) await until(world, id, hasEnded)
    const states = await world.ask((client) => client.states({ ids: taken }))
    const are = states.length === taken.length && states.every(({ state }) => state === 'done')
    return `${how?.replace(/:.*/, '')}; ${again} taken again; ${are ? 'all' : 'not all'} that was taken is done`
  },
}

/** Writes into a file until nothing more goes into it. */
function fill(path: string) {
  const file = openSync(path, 'w')
  try {
    for (let size = 1024 * 1024; size >= 4_096; )
      try {
        writeSync(file, Buffer.alloc(size))
      } catch {
        size /= 4
      }
  } finally {
    closeSync(file)
  }
}
