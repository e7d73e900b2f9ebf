/**
 * A hundred slaves that ask the master one question after the other: `slaves.ts PORT`. Told to, they measure for a while how
 * long its answers take.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Dialogue } from '@rpi-cluster/core/dialogue'
import { connect } from '@rpi-cluster/core/sockets'
import { quantile } from 'simple-statistics'

const SLAVES = 100

/** How long each waits between an answer and its next question, in ms. */
const PAUSE_MS = 100

const stop = new AbortController().signal
let times: number[] = []
let lost = 0

async function slave(): Promise<void> {
  const options = { peer: 'master', host: '127.0.0.1', port: Number(process.argv[2]), stop }
  const dialogue = new Dialogue(await connect(options), { unknown: () => {} })
  dialogue.ended.catch(() => {})
  for (;;) {
    const began = performance.now()
    await dialogue.ask('computer_details', { answer: 'master_info' })
    times.push((performance.now() - began) * 1_000)
    await sleep(PAUSE_MS)
  }
}

for (let count = 0; count < SLAVES; count += 1) {
  void slave().catch(() => {
    lost += 1
  })
}

process.on('disconnect', () => process.exit())
process.on('message', async ({ forMs }: { forMs: number }) => {
  times = []
  await sleep(forMs)
  process.send?.({ p50: quantile(times, 0.5), p99: quantile(times, 0.99), lost })
})
