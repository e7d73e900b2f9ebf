/** Timers that are waited for, and given up on a signal. */
import * as timers from './timers.ts'

interface Options {
  signal?: AbortSignal
  ref?: boolean
}

export function setTimeout<Value>(
  ms?: number,
  value?: Value,
  options: Options = {},
): Promise<Value | undefined> {
  return wait((done) => timers.setTimeout(done, ms), value, options)
}

export function setImmediate<Value>(value?: Value, options: Options = {}): Promise<Value | undefined> {
  return wait((done) => timers.setImmediate(done), value, options)
}

export async function* setInterval<Value>(ms?: number, value?: Value, options: Options = {}) {
  for (;;) yield await setTimeout(ms, value, options)
}

function wait<Value>(
  start: (done: () => void) => ReturnType<typeof timers.setTimeout> | ReturnType<typeof timers.setImmediate>,
  value: Value | undefined,
  { signal, ref = true }: Options,
): Promise<Value | undefined> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortError(signal))
    const giveUp = () => {
      timers.clearTimeout(timer)
      reject(abortError(signal))
    }
    const timer = start(() => {
      signal?.removeEventListener('abort', giveUp)
      resolve(value)
    })
    if (!ref) timer.unref()
    signal?.addEventListener('abort', giveUp, { once: true })
  })
}

/** What Node rejects with when a signal was given. */
export function abortError(signal?: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal?.reason })
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' })
}

export const scheduler = { wait: (ms: number, options?: Options) => setTimeout(ms, undefined, options) }
export default { setTimeout, setImmediate, setInterval, scheduler }
