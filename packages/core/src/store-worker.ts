/**
 * The thread that has a store's file: it writes, rolls up and answers, so that the program's own thread waits for no disk.
 *
 * @since 0.17.0
 */
import { mkdirSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { holdName } from './held-name.ts'
import { OperationalError } from './lifecycle.ts'
import type {
  Batch,
  HistoryQuery,
  Kind,
  Reply,
  Request,
  Requests,
  ThreadOptions,
  Vital,
} from './store-batch.ts'
import { isDamage, openFile, type StoreFile, setAside, whyNot } from './store-file.ts'
import { historyOf } from './store-history.ts'
import { Recorder } from './store-recorder.ts'

const port = parentPort as NonNullable<typeof parentPort>
const options = workerData as ThreadOptions
const { path } = options

/** The file, while it is open. After an error it is closed, and opened again by who needs it next. */
let open: { file: StoreFile; recorder: Recorder } | undefined
/** Whether the next step of what there is to do besides comes soon. */
let isBusy = false

/** Whether it was told that this does not go on. */
let isStuck = false

function reply(message: Reply, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

/** Opens the file, if it is not open; one that is damaged is set aside, and another one made. */
function opened(): { file: StoreFile; recorder: Recorder } {
  if (open) return open
  const file = openOrReplace()
  try {
    open = { file, recorder: new Recorder(file, options) }
    return open
  } catch (error) {
    file.close()
    if (!isDamage(error)) throw error
    replace(error)
    return opened()
  }
}

function openOrReplace(): StoreFile {
  try {
    return openFile(path)
  } catch (error) {
    if (!isDamage(error)) throw error
    replace(error)
    return openFile(path)
  }
}

function replace(error: unknown): void {
  const aside = setAside(path)
  reply({
    warning: `${path} is damaged (${(error as Error).message}). It is called ${basename(aside)} now, and a new one is begun: what was in it is not shown any more.`,
  })
}

function letGo(): void {
  try {
    open?.file.close()
  } catch {} // what was wrong with it was said
  open = undefined
}

const handlers: { [K in Kind]: (asked: Requests[K]['asked']) => Requests[K]['answer'] } = {
  commit: (batch: Batch) => {
    const done = opened().recorder.commit(batch)
    goOn()
    return done
  },
  history: (query: HistoryQuery) => {
    const { file, recorder } = opened()
    return historyOf(file, query, { ...options, marks: recorder })
  },
  vitals: () =>
    opened()
      .file.all<{ vital: string; label: string | null; unit: string | null }>(
        'SELECT vital, label, unit FROM vitals ORDER BY vital',
      )
      .map(
        ({ vital, label, unit }): Vital =>
          label === null || unit === null ? { vital } : { vital, label, unit },
      ),
  oldest: ({ box, count }) => opened().recorder.oldest(box, count),
}

function goOn(): void {
  if (isBusy) return
  isBusy = true
  setImmediate(step)
}

/** What there is to do besides goes in small steps, between which what is asked has its turn. */
function step(): void {
  isBusy = false
  try {
    if (open?.recorder.upkeep()) goOn()
    isStuck = false
  } catch (error) {
    letGo()
    if (isDamage(error)) replace(error)
    else if (!isStuck) {
      isStuck = true
      const why = whyNot(path, error)
      reply({
        warning: `Cannot roll up what is in ${path} (${why}): it is tried again after the next commit.`,
      })
    }
  }
}

function answer({ id, kind, asked }: Request): void {
  try {
    const answer = (handlers[kind] as (asked: unknown) => Requests[Kind]['answer'])(asked)
    reply(
      { id, answer },
      kind === 'history' ? [(answer as Requests['history']['answer']).numbers.buffer] : [],
    )
  } catch (error) {
    letGo()
    // What was asked to be written is asked again, and then goes into another file.
    if (kind === 'commit' && isDamage(error)) replace(error)
    reply({ id, trouble: error instanceof OperationalError ? error.message : whyNot(path, error) })
  }
}

/** What the file is called on this machine, by whatever path it is reached. */
function nameOf(path: string): string {
  try {
    mkdirSync(dirname(path), { recursive: true })
    return join(realpathSync(dirname(path)), basename(path))
  } catch {
    return path
  }
}

if (await holdName(nameOf(path))) {
  try {
    const { waiting, newest } = opened().recorder
    reply({ began: waiting, newest })
    goOn()
  } catch (error) {
    if (error instanceof OperationalError) reply({ refused: [...error.problems] })
    else {
      reply({ warning: whyNot(path, error) })
      reply({ began: [] })
    }
  }
  port.on('message', answer)
} else {
  reply({
    refused: [
      `${path} is used by another program that runs on this machine, and only one at a time can have it: stop that, or give this one another name or folder for it.`,
    ],
  })
}
