/** A pool alone, without a network: `pool.ts CHILDREN`. Told how many, it does empty tasks, and tells how long they took. */
import { TaskPool } from '@rpi-cluster/core/worker'
import { noLog } from '../no-log.ts'
import { tasks } from './definitions.ts'
import { stop } from './keys.ts'

const children = Number(process.argv[2])
const file = new URL('definitions.ts', import.meta.url)
const pool = new TaskPool({ file, tasks, children, log: noLog, stop })

process.on('disconnect', () => process.exit())
process.on('message', async ({ empty }: { empty: number }) => {
  const began = performance.now()
  await Promise.all(
    Array.from({ length: empty }, (_, n) =>
      pool.run({ id: String(n), name: 'empty', input: 'null', attempt: 1 }),
    ),
  )
  process.send?.({ tookMs: performance.now() - began })
})
