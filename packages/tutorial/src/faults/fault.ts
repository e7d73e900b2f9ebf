/**
 * What can be wrong with one direction of a link, as plain data: a test, a file and a button can all say it.
 * Faults of one direction go together: a line may be slow and far away.
 */
import { inspect } from 'node:util'

/** Where bytes are going: to who listens, or to who has connected. */
export type Direction = 'toServer' | 'toClient'

/** One end of a connection: who has connected, or who listens. */
export type Side = 'client' | 'server'

/** How a connection is ended: by a reset (RST), or in order, as by a program that is done (FIN). */
export type EndedBy = 'reset' | 'end'

/** What is wrong with one direction. Without any of these it passes everything on at once. */
export interface Fault {
  /**
   * How much later each byte arrives, and the end too, in milliseconds: 0 to 2,147,483,647. It holds for what is under
   * way as well.
   */
  delayMs?: number
  /**
   * How many bytes may arrive in a second: a whole number, 1 or more. They come in steps of about 50 ms. What a busy
   * machine has missed it does not make up for.
   */
  bytesPerSecond?: number
  /**
   * Whether the cable is pulled: nothing is read, nothing arrives, and nobody is told. What was held arrives in order once
   * this is over, as TCP sends again what was not confirmed.
   */
  blackHole?: boolean
}

/** A fault for each direction. One that is not named stays as it is, and `{}` heals it. */
export type Faults = Partial<Record<Direction, Fault>>

/** The longest time that a timer of Node can wait, in ms. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

/**
 * Checks what may come from a file.
 *
 * @throws TypeError when a name or the kind of a value is wrong, RangeError when a number is
 */
export function checkFaults(faults: Faults): void {
  for (const [direction, fault] of entriesOf('The faults', faults)) {
    if (direction !== 'toServer' && direction !== 'toClient')
      throw new TypeError(`A link has the directions toServer and toClient, and no ${direction}.`)
    for (const [name, value] of entriesOf(direction, fault)) checkValue(direction, name, value)
  }
}

/**
 * Checks how something is to be ended.
 *
 * @throws TypeError when it is no way to end a connection
 */
export function checkEndedBy(by: EndedBy): void {
  if (by !== 'reset' && by !== 'end')
    throw new TypeError(`A connection is cut by 'reset' or by 'end', and not by ${inspect(by)}.`)
}

/**
 * Checks which end is meant.
 *
 * @throws TypeError when it is no end of a connection
 */
export function checkSide(side: Side): void {
  if (side !== 'client' && side !== 'server')
    throw new TypeError(`The sides of a connection are 'client' and 'server', and not ${inspect(side)}.`)
}

function entriesOf(what: string, value: unknown): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError(`${what} must be an object, and not ${inspect(value)}.`)
  return Object.entries(value)
}

function checkValue(direction: Direction, name: string, value: unknown): void {
  const not = `and not ${inspect(value)}`
  if (name === 'blackHole') {
    if (typeof value !== 'boolean')
      throw new TypeError(`${direction}.blackHole must be true or false, ${not}.`)
  } else if (name === 'delayMs') {
    if (typeof value !== 'number') throw new TypeError(`${direction}.delayMs must be a number, ${not}.`)
    if (!(value >= 0 && value <= LONGEST_DELAY_MS))
      throw new RangeError(`${direction}.delayMs must be 0 to ${LONGEST_DELAY_MS} ms, ${not}.`)
  } else if (name === 'bytesPerSecond') {
    if (typeof value !== 'number')
      throw new TypeError(`${direction}.bytesPerSecond must be a number, ${not}.`)
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${direction}.bytesPerSecond must be a whole number, 1 or more, ${not}.`)
  } else {
    throw new TypeError(
      `A direction has the faults delayMs, bytesPerSecond and blackHole, and no ${name} (${direction}).`,
    )
  }
}
