/** Events: npm's, and what Node has besides, for signals. */
// @ts-expect-error: these are npm's, which have no types of their own.
import npm from 'events/events.js'
import { abortError } from './timers-promises.ts'

export const EventEmitter = npm as typeof import('node:events').EventEmitter
type Emitter = InstanceType<typeof EventEmitter>

export const { defaultMaxListeners } = EventEmitter
export const errorMonitor = Symbol('events.errorMonitor')

/** Waits for an event, or for an error, or for the signal. */
export function once(
  emitter: Emitter | EventTarget,
  name: string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortError(signal))
    if (emitter instanceof EventTarget) {
      emitter.addEventListener(name, (event) => resolve([event]), { once: true })
      return
    }
    const letGo = () => {
      emitter.off(name, take).off('error', fail)
      signal?.removeEventListener('abort', giveUp)
    }
    const take = (...values: unknown[]) => {
      letGo()
      resolve(values)
    }
    const fail = (error: unknown) => {
      letGo()
      reject(error)
    }
    const giveUp = () => {
      letGo()
      reject(abortError(signal))
    }
    emitter.on(name, take)
    if (name !== 'error') emitter.on('error', fail)
    signal?.addEventListener('abort', giveUp, { once: true })
  })
}

export function addAbortListener(signal: AbortSignal, listener: (event: Event) => void): Disposable {
  // One who comes too late is told, too, in the next microtask.
  if (signal.aborted) queueMicrotask(() => listener(new Event('abort')))
  else signal.addEventListener('abort', listener, { once: true })
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', listener) }
}

/** Browsers do not count them. */
export function setMaxListeners(count?: number, ...emitters: (Emitter | EventTarget)[]): void {
  for (const emitter of emitters) if (emitter instanceof EventEmitter) emitter.setMaxListeners(count ?? 0)
}

export function getEventListeners(emitter: Emitter, name: string): unknown[] {
  return emitter.listeners(name)
}

Object.assign(EventEmitter, { once, addAbortListener, setMaxListeners, errorMonitor })
export default EventEmitter
