/**
 * Many frames cut at once. A call into native code for each frame would cost as much as to parse a small one: so
 * all of them are made a text, which is then cut. Only for speed, and only for ASCII, where a character is a byte.
 *
 * @since 0.5.0
 */

import { isAscii } from 'node:buffer'
import { SEPARATOR } from './frames.ts'

/**
 * How many bytes of a piece are whole frames of ASCII. Mostly all: a program pauses there, and a look at one byte costs
 * less than a search. None, if one of them is not ASCII.
 *
 * @internal
 */
export function bytesOfAsciiFrames(piece: Buffer): number {
  const whole = piece[piece.length - 1] === SEPARATOR ? piece.length : piece.lastIndexOf(SEPARATOR) + 1
  return isAscii(piece.subarray(0, whole)) ? whole : 0
}

/**
 * Some frames, which are ASCII and whole, each with its separator.
 *
 * @internal
 */
export class AsciiFrames {
  #text: string
  #start = 0

  constructor(frames: Buffer) {
    this.#text = frames.toString('latin1')
  }

  /** How many bytes it takes, as long as it is there. */
  get bytes(): number {
    return this.#text.length
  }

  /** Calls a function with each frame, without its separator, until it returns false. Returns whether it never did. */
  handOver(take: (frame: string) => boolean): boolean {
    const text = this.#text
    for (
      let start = this.#start, end = text.indexOf('\r', start);
      end >= 0;
      end = text.indexOf('\r', start)
    ) {
      const frame = text.slice(start, end)
      start = end + 1
      if (take(frame)) continue
      this.#start = start
      if (start === text.length) this.#forget()
      return false
    }
    this.#forget()
    return true
  }

  #forget(): void {
    this.#text = ''
    this.#start = 0
  }
}
