import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { medianOf } from '../tasks/latencies.ts'

/** Into a file that is there already only its bytes are written: this many at a time, as many as one task takes. */
const FILE_BYTES = 1024 * 1024
const RECORD = Buffer.alloc(200, 'x')

/** How long the disk of a folder takes for one synchronisation: the median of so many, in µs. */
export async function medianSync(folder: string, times: number): Promise<number> {
  const file = openSync(join(folder, 'synchronised'), 'w')
  writeSync(file, Buffer.alloc(FILE_BYTES))
  fsyncSync(file)
  let at = 0
  const median = await medianOf(times, async () => {
    writeSync(file, RECORD, 0, RECORD.length, at)
    fdatasyncSync(file)
    at = (at + RECORD.length) % (FILE_BYTES - RECORD.length)
  })
  closeSync(file)
  return median
}
