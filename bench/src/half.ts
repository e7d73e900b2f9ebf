/**
 * One half of a measurement, as a process of its own: `half.ts receive core 62`. It is told where to listen
 * or connect, and tells where it listens, and later what it found.
 */
import type { Address } from './contestants/contestant.ts'
import { contestants } from './contestants/index.ts'
import { distinctMessages } from './messages.ts'
import { looksEvery, meter, type Window } from './meter.ts'

const [role, name = '', size] = process.argv.slice(2)
const bytes = Number(size)
const contestant =
  (await contestants[name]?.()) ?? (await import('./secure/contestants.ts')).secureContestants[name]
if (!contestant) throw new Error(`No contestant is called ${name}`)

process.on('disconnect', () => process.exit())
process.once('message', async ({ address, window }: { address: Address; window: Window }) => {
  if (role === 'send') await contestant.send(address, distinctMessages(bytes))
  const count = meter(window, looksEvery(bytes), (reading) => process.send?.(reading))
  process.send?.(await contestant.receive(address, count))
})
