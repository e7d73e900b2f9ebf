/**
 * What keeps a program alive: it ends when no timer, no socket and no server is left, as in Node. And the worker's
 * clock, on which all of its timers run.
 */
import { browserTime, Clock } from '../clock.ts'

export const clock = new Clock({ speed: 1, shows: 0, when: browserTime() })

/** By how many ms the program's dates are wrong, and when its cluster began. */
export const dates = { skewMs: 0, beganAt: Date.now() }

const alive = new Set<object>()
const browserSetTimeout = globalThis.setTimeout.bind(globalThis)

/** How long the browser may take to tell of a promise that was rejected, in ms. */
const REJECTION_MS = 10

let isLookAsked = false
let whenNothingIsAlive = () => {}

export function keepAlive(what: object): void {
  alive.add(what)
}

export function letGo(what: object): void {
  alive.delete(what)
  look()
}

/** Looks, after this turn, whether anything is left. */
export function look(): void {
  if (isLookAsked || alive.size > 0) return
  isLookAsked = true
  // Not a message: the browser tells of a rejected promise later than it brings one.
  browserSetTimeout(() => {
    isLookAsked = false
    if (alive.size === 0) whenNothingIsAlive()
  }, REJECTION_MS)
}

export function onNothingAlive(tell: () => void): void {
  whenNothingIsAlive = tell
}

/** What is alive, by the names of its kinds. */
export function kindsAlive(): string[] {
  return [...alive].map((what) => what.constructor.name)
}
