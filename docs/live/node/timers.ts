/** Timers as Node has them: objects, which keep the program alive unless told otherwise. They run on the cluster's clock. */
import type { Due } from '../clock.ts'
import { clock, keepAlive, letGo } from './alive.ts'

const LONGEST_MS = 2 ** 31 - 1
const timeouts = new Map<number, Timeout>()
let nextId = 1

export class Timeout {
  readonly #id = nextId++
  readonly #run: () => void
  readonly #ms: number
  readonly #repeats: boolean
  #due: Due | undefined
  #isRef = true

  constructor(run: () => void, ms: unknown, repeats: boolean) {
    const wanted = Number(ms)
    this.#ms = wanted >= 1 && wanted <= LONGEST_MS ? Math.trunc(wanted) : 1
    this.#run = run
    this.#repeats = repeats
    this.refresh()
  }

  refresh(): this {
    if (this.#due) clock.cancel(this.#due)
    timeouts.set(this.#id, this)
    if (this.#isRef) keepAlive(this)
    this.#due = clock.at(clock.now() + this.#ms, () => this.#fire())
    return this
  }

  #fire(): void {
    this.#due = undefined
    try {
      this.#run()
    } finally {
      if (!this.#due && this.#repeats && timeouts.has(this.#id)) this.refresh()
      else if (!this.#due) this.close()
    }
  }

  close(): this {
    if (this.#due) clock.cancel(this.#due)
    this.#due = undefined
    timeouts.delete(this.#id)
    letGo(this)
    return this
  }

  ref(): this {
    this.#isRef = true
    if (this.#due) keepAlive(this)
    return this
  }

  unref(): this {
    this.#isRef = false
    letGo(this)
    return this
  }

  hasRef(): boolean {
    return this.#isRef
  }

  [Symbol.toPrimitive](): number {
    return this.#id
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

class Immediate {
  #due: Due | undefined

  constructor(run: () => void) {
    keepAlive(this)
    this.#due = clock.at(Number.NEGATIVE_INFINITY, () => {
      try {
        run()
      } finally {
        this.close()
      }
    })
  }

  close(): void {
    if (this.#due) clock.cancel(this.#due)
    this.#due = undefined
    letGo(this)
  }

  ref(): this {
    keepAlive(this)
    return this
  }

  unref(): this {
    letGo(this)
    return this
  }

  hasRef(): boolean {
    return true
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

type Callback = (...values: unknown[]) => void

export function setTimeout(run: Callback, ms?: number, ...values: unknown[]): Timeout {
  return new Timeout(() => run(...values), ms, false)
}

export function setInterval(run: Callback, ms?: number, ...values: unknown[]): Timeout {
  return new Timeout(() => run(...values), ms, true)
}

export function setImmediate(run: Callback, ...values: unknown[]): Immediate {
  return new Immediate(() => run(...values))
}

export function clearTimeout(timeout?: Timeout | Immediate | number | string | null): void {
  if (timeout instanceof Timeout || timeout instanceof Immediate) timeout.close()
  else if (timeout !== undefined && timeout !== null) timeouts.get(Number(timeout))?.close()
}

export const clearInterval = clearTimeout
export const clearImmediate = clearTimeout
export default { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate }
