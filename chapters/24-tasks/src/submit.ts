/** Hands work to the cluster, and waits for it: `submit mandelbrot --width 1600`. */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { textOf } from '@rpi-cluster/core/messages'
import type { TaskEnd } from '@rpi-cluster/core/tasks'
import { SingleBar } from 'cli-progress'
import { openClient } from './client.ts'
import { orderFrom } from './order.ts'
import { pngOf } from './picture.ts'

const stop = stopSignal()
const log = createLogger('submit')
const { group, tasks, picture, waits } = orderFrom(process.argv)
const { client, close } = await openClient(log, stop)

await client.submit(tasks, {
  follow: waits,
  onFull: (waiting, most) => log.warn(`The queue is full: ${waiting} of ${most} wait. Handing in goes on.`),
  stop,
})
log.info(`Handed in as ${group}, in ${tasks.length === 1 ? 'one task' : `${tasks.length} tasks`}`)
if (waits) await wait()
await close()

async function wait() {
  const bar = new SingleBar({ format: '{bar} {value} of {total}' })
  bar.start(tasks.length, 0)
  const ends: TaskEnd[] = []
  for await (const end of client.ends()) {
    ends.push(end)
    bar.update(ends.length)
  }
  bar.stop()
  const failed = ends.filter(({ state }) => state !== 'done')
  for (const { id, name, reason = 'it was cancelled' } of failed) log.error(`${name} ${id}: ${reason}`)
  if (failed.length > 0) process.exitCode = 1
  else if (picture) await keep(ends)
  else log.info(textOf(ends[0]?.result))
}

/** Writes the picture into the folder where the reader typed. */
async function keep(ends: TaskEnd[]) {
  const file = resolve(process.env['INIT_CWD'] ?? '.', `${group}.png`)
  await writeFile(file, pngOf(picture, ends))
  log.info(`The picture is ${file}`)
}
