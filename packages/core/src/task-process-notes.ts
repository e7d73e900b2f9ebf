/**
 * The notes of a process that does tasks: a file that has no name, in memory where there is a place for that. Who has started
 * it reads them, and they are there when the process is not any more.
 *
 * @since 0.24.0
 */
import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, openSync, readSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LONGEST_NOTE, MOST_NOTES } from './task-words.ts'

/** Where a file is not on a disk, on Linux. */
const MEMORY = '/dev/shm'

const room = Buffer.alloc(MOST_NOTES + LONGEST_NOTE)

/**
 * A file for notes.
 *
 * @internal
 */
export class TaskNotes {
  /** To be handed to the process. Undefined where no such file can be made: it has to do without. */
  readonly descriptor: number | undefined

  constructor() {
    this.descriptor = [MEMORY, tmpdir()].reduce<number | undefined>(
      (made, folder) => made ?? openIn(folder),
      undefined,
    )
  }

  /** The lines in it. */
  read(): string[] {
    if (this.descriptor === undefined) return []
    const length = readSync(this.descriptor, room, 0, room.length, 0)
    const end = room.subarray(0, length).indexOf(0)
    return end <= 0 ? [] : room.toString('latin1', 0, end).split('\n').slice(0, -1)
  }

  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor)
  }
}

function openIn(folder: string): number | undefined {
  if (!existsSync(folder)) return undefined
  const path = join(folder, `rpicluster-tasks-${randomUUID()}`)
  try {
    const descriptor = openSync(path, 'wx+', 0o600)
    unlinkSync(path)
    return descriptor
  } catch {
    return undefined
  }
}
