/** What is done in a trial: something that can be checked, and whose effect can be counted. */
import { setTimeout as sleep } from 'node:timers/promises'
import { defineTasks, type TaskContext } from '@rpi-cluster/core/worker'
import { note } from './notes.ts'
import { resultOf } from './result.ts'

export const tasks = defineTasks({
  quick: { version: 1, run: (number: number, context) => doneBy(context, number) },

  slow: {
    version: 1,
    async run({ number, ms }: { number: number; ms: number }, context) {
      const result = doneBy(context, number)
      context.progress(0.5)
      await sleep(ms)
      return result
    },
  },
})

function doneBy({ id }: TaskContext, number: number): string {
  note({ what: 'effect', id, node: process.env['TUTORIAL_PROGRAM'] ?? '', pid: process.pid, at: Date.now() })
  return resultOf(number)
}
