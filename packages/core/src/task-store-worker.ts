/**
 * The thread that has a task store's files: it commits, tidies up and answers, so that the program's own thread waits for
 * no disk.
 *
 * @since 0.25.0
 */
import { mkdirSync, realpathSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { holdName } from './held-name.ts'
import { OperationalError } from './lifecycle.ts'
import { encodeRaw } from './task-log-event.ts'
import { reasonOf, systemFiles } from './task-log-files.ts'
import type { TaskHistoryKeep } from './task-log-history.ts'
import type { TaskHistoryPage, TaskHistoryQuery } from './task-log-history-page.ts'
import { openTaskLog } from './task-log-open.ts'

/**
 * What the thread needs to begin.
 *
 * @internal
 */
export interface TaskThreadOptions {
  folder: string
  keep: TaskHistoryKeep
}

/**
 * From the program.
 *
 * @internal
 */
export type TaskRequest =
  | { id: number; commit: Uint8Array<ArrayBuffer> }
  | { id: number; history: TaskHistoryQuery }

/**
 * From the thread.
 *
 * @internal
 */
export type TaskReply =
  /** Why the store cannot be used. */
  | { refused: string[] }
  /** Events that were there, as bytes: some of them, and then that these were all. */
  | { recovered: Uint8Array<ArrayBuffer> }
  | { began: true; open: number }
  /** To the log. */
  | { warning: string }
  | { id: number; page?: TaskHistoryPage }
  /** What went wrong, in words. */
  | { id: number; trouble: string }

const port = parentPort as NonNullable<typeof parentPort>
const { folder, keep } = workerData as TaskThreadOptions

function reply(message: TaskReply, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

async function begin(): Promise<void> {
  if (!(await isOurs())) {
    throw new OperationalError(
      `${folder} is used by another program that runs on this machine, and only one at a time can have it: stop that, or give this one another name or folder for its tasks.`,
    )
  }
  const log = await openTaskLog({
    folder,
    keep,
    files: systemFiles,
    warn: (warning) => reply({ warning }),
  })
  for await (const contents of log.recovered()) {
    const recovered = encodeRaw(contents)
    reply({ recovered }, [recovered.buffer])
  }
  reply({ began: true, open: log.open })

  let before: Promise<void> = Promise.resolve()
  port.on('message', (request: TaskRequest) => {
    const answered = (work: Promise<TaskReply>) =>
      work.then(reply, (error) =>
        reply({
          id: request.id,
          trouble: error instanceof OperationalError ? error.message : reasonOf(error),
        }),
      )
    if ('commit' in request) void answered(log.commit(request.commit).then(() => ({ id: request.id })))
    else {
      // One after the other: each may read all that there is.
      const work = before.then(() => log.history.page(request.history))
      before = answered(work.then((page) => ({ id: request.id, page })))
    }
  })
}

/** Whether no other process has it, by whatever path it is reached. */
async function isOurs(): Promise<boolean> {
  mkdirSync(folder, { recursive: true })
  return await holdName(realpathSync(folder))
}

try {
  await begin()
} catch (error) {
  const refused =
    error instanceof OperationalError ? [...error.problems] : [`Cannot open ${folder}: ${reasonOf(error)}.`]
  reply({ refused })
}
