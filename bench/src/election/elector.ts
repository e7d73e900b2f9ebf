import type { ChildProcess } from 'node:child_process'

/** Three members that elect one of them, each a process of its own. */
export interface Elector {
  /** Waits until one leads, and all know it. */
  settled(): Promise<Leading>
  /** Waits until another one says that it leads, in a later term. */
  anotherLeads(before: Leading): Promise<void>
  process(name: string): ChildProcess
  /** Starts a member again that was killed. */
  restart(name: string): Promise<void>
  /** Ends it, and takes away what it has written. */
  end(): void
}

export interface Leading {
  name: string
  term: number
}

export const NAMES = ['node-1', 'node-2', 'node-3']

export const HOST = '127.0.0.1'

/** After how long nothing comes any more that is waited for, in ms. */
const PATIENCE_MS = 60_000

/** How often is looked, in ms. */
const LOOK_MS = 2

/** Looks again and again, until something is found. */
export async function until<Found>(
  find: () => Found | undefined | Promise<Found | undefined>,
): Promise<Found> {
  const deadline = performance.now() + PATIENCE_MS
  while (performance.now() < deadline) {
    const found = await find()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  throw new Error(`Nobody was elected in ${PATIENCE_MS / 1_000} s`)
}
