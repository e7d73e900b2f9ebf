/** What Node puts where every file sees it. Imported before anything that looks for it. */
import { Buffer } from 'node:buffer'
import { clock, dates } from './alive.ts'
import { process, say } from './process.ts'
import * as timers from './timers.ts'
import { format } from './util.ts'

const BrowserDate = Date

/** The cluster's clock has the date, and may be wrong. */
class ClusterDate extends BrowserDate {
  constructor(...given: []) {
    if (given.length === 0) super(ClusterDate.now())
    else super(...given)
  }

  static override now(): number {
    return Math.floor(dates.beganAt + clock.now() + dates.skewMs)
  }
}

const { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate } = timers
Object.assign(globalThis, {
  global: globalThis,
  process,
  Buffer,
  Date: ClusterDate,
  setTimeout,
  setInterval,
  setImmediate,
  clearTimeout,
  clearInterval,
  clearImmediate,
})
Object.defineProperty(performance, 'now', { value: () => clock.now() })

const print = (...values: unknown[]) => say(`${format(...values)}\n`)
for (const name of ['log', 'info', 'warn', 'error', 'debug'] as const) console[name] = print

// Older browsers have no such names, and Node's sockets have them.
for (const name of ['dispose', 'asyncDispose'])
  if (!(name in Symbol)) Object.defineProperty(Symbol, name, { value: Symbol(`Symbol.${name}`) })
