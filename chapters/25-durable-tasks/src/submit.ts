/** Hands work to the cluster, and waits for it: `submit mandelbrot --width 1600`. */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createLogger } from '@rpi-cluster/core/logging'
import { textOf } from '@rpi-cluster/core/messages'
import type { TaskClient, TaskEnd } from '@rpi-cluster/core/tasks'
import { SingleBar } from 'cli-progress'
import { orderFrom } from './order.ts'
import { drawnTileFrom } from './picture.ts'
import { pngOf } from './png.ts'
import { asSubmitter } from './submitter.ts'

const log = createLogger('submit')
const { group, tasks, picture, waits } = orderFrom(process.argv)

await asSubmitter(log, async (client) => {
  await client.submit(tasks, {
    follow: waits,
    onFull: ({ taken, of }) =>
      log.warn(`The queue is full. It has taken ${taken} of ${of}; handing in goes on`),
  })
  log.info(`Handed in as ${group}: ${tasks.length === 1 ? 'one task' : `${tasks.length} tasks`}`)
  if (waits) await tell(await allOf(client))
})

/** Waits for all, and shows meanwhile how far they are. */
async function allOf(client: TaskClient): Promise<TaskEnd[]> {
  const ends: TaskEnd[] = []
  const bar = new SingleBar({ format: '{bar} {value} of {total}' })
  bar.start(tasks.length, 0)
  for await (const end of client.ends()) bar.update(ends.push(end))
  bar.stop()
  return ends
}

async function tell(ends: TaskEnd[]) {
  const failed = ends.filter(({ state }) => state !== 'done')
  for (const { name, id, state, reason = '' } of failed) log.error(`${name} ${id} was ${state}: ${reason}`)
  if (failed.length > 0) process.exitCode = 1
  else if (picture) await keep(picture, ends)
  else log.info(textOf(ends[0]?.result))
}

/** Writes the picture into the folder where the reader typed. */
async function keep({ width, height }: { width: number; height: number }, ends: TaskEnd[]) {
  const tiles = ends.flatMap(({ result, node = '' }) => {
    const tile = drawnTileFrom(result)
    return tile ? [{ ...tile, node }] : []
  })
  const file = resolve(process.env['INIT_CWD'] ?? '.', `${group}.png`)
  await writeFile(file, pngOf(width, height, tiles))
  log.info(`The picture is ${file}`)
}
