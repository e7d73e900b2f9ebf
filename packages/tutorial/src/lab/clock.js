// Loaded into a node's program before its own code. TUTORIAL_CLOCK_FILE names a file with a number of seconds in it, by
// which the node's clock is wrong; it is looked at again and again, so the clock can go wrong while the program runs. What
// counts time and does not date it, timers and performance.now(), goes on as before, as on a Pi.
import { readFileSync } from 'node:fs'

/** How often the file is looked at, at most, in ms. */
const LOOKS_AFTER_MS = 200

const file = process.env.TUTORIAL_CLOCK_FILE
const RealDate = globalThis.Date
let wrongByMs = 0
let looksAt = Number.NEGATIVE_INFINITY

function now() {
  if (performance.now() >= looksAt) {
    looksAt = performance.now() + LOOKS_AFTER_MS
    try {
      wrongByMs = Number(readFileSync(file, 'utf8')) * 1000 || 0
    } catch {} // nobody has made it wrong
  }
  return RealDate.now() + wrongByMs
}

// Not a class: Date may be called without new.
globalThis.Date = new Proxy(RealDate, {
  apply: () => new RealDate(now()).toString(),
  construct: (_, args, target) => Reflect.construct(RealDate, args.length > 0 ? args : [now()], target),
  get: (_, key, receiver) => (key === 'now' ? now : Reflect.get(RealDate, key, receiver)),
})
