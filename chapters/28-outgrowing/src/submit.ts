/** Hands work to the cluster, and waits for it: `submit mandelbrot --width 1600`. */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { textOf } from '@rpi-cluster/core/messages'
import type { TaskClient, TaskEnd } from '@rpi-cluster/core/tasks'
import { SingleBar } from 'cli-progress'
import { orderFrom } from './order.ts'
import { paintedTiles, pngOf } from './png.ts'
import { asSubmitter } from './submitter.ts'

const stop = stopSignal()
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
  stop.addEventListener('abort', () => {
    bar.stop()
    log.info(`It goes on without this program. To end it: queue cancel ${group}`)
  })
  for await (const end of client.ends()) bar.update(ends.push(end))
  bar.stop()
  return ends
}

async function tell(ends: TaskEnd[]) {
  const whys = ends.flatMap(({ name, state, reason }) => {
    if (state === 'done') return []
    return `${name} ${state === 'failed' ? `has failed: ${reason}` : 'was cancelled'}`
  })
  for (const why of new Set(whys))
    log.error(`${whys.filter((other) => other === why).length} of ${ends.length}: ${why}`)
  if (whys.length > 0) process.exitCode = 1
  else if (picture) await keep(picture, ends)
  else log.info(textOf(ends[0]?.result))
}

/** Writes the picture into the folder where the reader typed. */
async function keep({ width, height }: { width: number; height: number }, ends: TaskEnd[]) {
  const file = resolve(process.env['INIT_CWD'] ?? '.', `${group}.png`)
  await writeFile(file, pngOf(width, height, paintedTiles(ends)))
  log.info(`The picture is ${file}`)
}
