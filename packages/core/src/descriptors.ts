/**
 * Descriptors: the system gives a program one for each connection and each open file, and not more than a limit.
 * When there is none left for a peer that connects, Node closes its connection and says nothing (libuv keeps one
 * descriptor to be able to). So a listener turns peers away while there are still some, and says so.
 *
 * @since 0.3.0
 */
import { closeSync, openSync, readFileSync } from 'node:fs'
import { devNull } from 'node:os'
import type { Logger } from './logging.ts'

/**
 * How many descriptors peers leave to the program: for a log file that rotates, a name that is looked up, a
 * connection of its own.
 */
const LEFT_FREE = 8

/** Which part of the descriptors is left besides to peers that only wait, and are not served: a sixteenth. */
const PART_TO_WAIT = 16

/** How long peers that are turned away are only counted, in ms, before the next line. */
const COUNTED_MS = 5_000

/** How to get more, for texts. */
const HOW_TO_GET_MORE =
  'Close some, or allow more: with `ulimit -n` before the start, or LimitNOFILE= in a systemd unit'

/**
 * Why there is no descriptor for another peer, or nothing when there is one. It opens a file for that, which takes
 * some microseconds: the system gives the lowest free number, and so that number says how many are in use.
 *
 * @internal
 */
export function whyNoRoomForPeer(): string | undefined {
  let inUse: number
  try {
    inUse = openSync(devNull, 'r')
    closeSync(inUse)
  } catch (error) {
    return whyNoDescriptor(error)
  }
  if (inUse < forPeers(knownLimit)) return undefined
  knownLimit = limitOfProcess() // somebody may have raised it
  if (inUse < forPeers(knownLimit)) return undefined
  return `this program may have ${knownLimit} open files and connections, and ${inUse} are in use. ${HOW_TO_GET_MORE}`
}

/**
 * Whether there is a descriptor for a peer that only waits.
 *
 * @internal
 */
export function hasRoomToWait(): boolean {
  try {
    const inUse = openSync(devNull, 'r')
    closeSync(inUse)
    return inUse < knownLimit - LEFT_FREE
  } catch {
    return false
  }
}

/**
 * How many of so many descriptors peers may have that are served. Where there is no limit, there is none for them.
 *
 * @internal
 */
export function forPeers(limit: number): number {
  if (limit === Infinity) return limit // of which no part can be taken
  return limit - LEFT_FREE - Math.floor(limit / PART_TO_WAIT)
}

/**
 * Why there was no descriptor for something that failed, or nothing when its error is about something else.
 *
 * @internal
 */
export function whyNoDescriptor(error: unknown): string | undefined {
  switch ((error as NodeJS.ErrnoException)?.code) {
    case 'EMFILE':
      return `this program has as many open files and connections as it may. ${HOW_TO_GET_MORE}`
    case 'ENFILE':
      return 'all programs of this machine together have as many open files and connections as it allows (fs.file-max on Linux)'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return whyNothingCanBeOpened() // a name that is looked up takes one, and without it none is found
    default:
      return undefined
  }
}

function whyNothingCanBeOpened(): string | undefined {
  try {
    closeSync(openSync(devNull, 'r'))
    return undefined
  } catch (error) {
    return whyNoDescriptor(error)
  }
}

/**
 * The limit, where the system tells: on Linux. Elsewhere the last descriptor is turned away.
 *
 * @param limits where it tells
 * @internal
 */
export function limitOfProcess(limits = '/proc/self/limits'): number {
  try {
    return Number(/^Max open files +(\d+)/m.exec(readFileSync(limits, 'utf8'))?.[1] ?? Infinity)
  } catch {
    return Infinity
  }
}

let knownLimit = limitOfProcess()

/**
 * Tells a log of peers that were turned away: of the first with the reason, and then every five seconds how many
 * more they were.
 *
 * @internal
 */
export class TurnedAway {
  readonly #log: Logger
  #more = 0
  #timer: NodeJS.Timeout | undefined

  constructor(log: Logger) {
    this.#log = log
  }

  tell(address: string, why: string): void {
    if (this.#timer) {
      this.#more += 1
      return
    }
    this.#log.warn(`Turned away ${address}: ${why}. Others are counted.`)
    this.#timer = setTimeout(() => this.#tellMore(), COUNTED_MS).unref()
  }

  /** Tells of those that were counted and not told of yet. */
  end(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#more > 0) this.#log.warn(`Turned away ${this.#more} more for the same reason`)
    this.#more = 0
  }

  #tellMore(): void {
    const goesOn = this.#more > 0
    this.end()
    if (goesOn) this.#timer = setTimeout(() => this.#tellMore(), COUNTED_MS).unref()
  }
}
