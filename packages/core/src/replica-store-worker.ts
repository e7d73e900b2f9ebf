/**
 * The thread that has a replica store's files, so that the program's own thread waits for no disk: what a member has to hear
 * and to say goes on while a card takes seconds for one synchronisation.
 *
 * @since 0.27.0
 */
import { mkdirSync, realpathSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { holdName } from './held-name.ts'
import { OperationalError } from './lifecycle.ts'
import { bytesOf, encodeRecords, type ReplicaRecord } from './replica-records.ts'
import { openReplicaLog, type ReplicaLog } from './replica-store-log.ts'
import { encodeRaw } from './task-log-event.ts'
import { reasonOf, systemFiles } from './task-log-files.ts'

/** How often something is written at the start, to learn how long that takes. */
const TRIAL_WRITES = 3

/**
 * What the thread needs to begin.
 *
 * @internal
 */
export interface ReplicaThreadOptions {
  folder: string
}

/**
 * What the thread is asked to do. Records are as `encodeRecords` writes them.
 *
 * @internal
 */
export type ReplicaWork =
  | { commit: Uint8Array<ArrayBuffer> }
  /** The head of a snapshot, some of its pieces, and that these were all: of one made here, or of one for the whole log. */
  | { begin: Uint8Array<ArrayBuffer> }
  | { pieces: Uint8Array<ArrayBuffer> }
  | { end: 'snapshot' | 'install' }

/** @internal */
export type ReplicaRequest = { id: number } & ReplicaWork

/**
 * What was found when a store was opened.
 *
 * @internal
 */
export interface ReplicaBegun {
  id: string
  isNew: boolean
  /** How long a small commit takes, in ms. */
  writeMs: number
  /** The index of the last entry. */
  last: number
}

/**
 * From the thread.
 *
 * @internal
 */
export type ReplicaReply =
  /** Why the store cannot be used. */
  | { refused: string[] }
  /** Records that were there: some of them, and then that these were all. */
  | { recovered: Uint8Array<ArrayBuffer> }
  | { began: ReplicaBegun }
  /** To the log. */
  | { warning: string }
  | { id: number }
  /** What went wrong, in words. */
  | { id: number; trouble: string }

const port = parentPort as NonNullable<typeof parentPort>
const { folder } = workerData as ReplicaThreadOptions

function reply(message: ReplicaReply, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

async function begin(): Promise<void> {
  mkdirSync(folder, { recursive: true })
  // No other process may have it, by whatever path it is reached.
  if (!(await holdName(realpathSync(folder)))) {
    throw new OperationalError(
      `${folder} is used by another program that runs on this machine, and a member is one process: stop that, or give this one another name or folder.`,
    )
  }
  const log = await openReplicaLog({
    folder,
    files: systemFiles,
    warn: (warning) => reply({ warning }),
  })
  for await (const contents of log.recovered()) {
    const recovered = encodeRaw(contents)
    reply({ recovered }, [recovered.buffer])
  }
  const { store: id, isNew, last } = log
  reply({ began: { id, isNew, last, writeMs: await trialOf(log) } })
  port.on('message', ({ id, ...work }: ReplicaRequest) => {
    done(log, work).then(
      () => reply({ id }),
      (error) => reply({ id, trouble: error instanceof OperationalError ? error.message : reasonOf(error) }),
    )
  })
}

function done(log: ReplicaLog, work: ReplicaWork): Promise<void> {
  if ('commit' in work) return log.commit(work.commit)
  if ('begin' in work) return log.begin(work.begin)
  if ('pieces' in work) return log.add(work.pieces)
  return work.end === 'snapshot' ? log.snapshot() : log.install()
}

/** How long a small commit takes, in ms: what is in the middle of some tries, after the first, which may have to make a file. */
async function trialOf(log: ReplicaLog): Promise<number> {
  const blank: ReplicaRecord = { kind: 'blank', data: '' }
  const times: number[] = []
  for (let count = 0; count <= TRIAL_WRITES; count += 1) {
    const before = performance.now()
    await log.commit(encodeRecords([blank], bytesOf(blank)))
    if (count > 0) times.push(performance.now() - before)
  }
  const [, middle = 0] = times.sort((one, other) => one - other)
  return middle
}

try {
  await begin()
} catch (error) {
  const refused =
    error instanceof OperationalError ? [...error.problems] : [`Cannot open ${folder}: ${reasonOf(error)}.`]
  reply({ refused })
}
