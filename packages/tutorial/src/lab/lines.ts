/** What happens in a cluster, as lines of a terminal: the time, who, and what. */
import { styleText } from 'node:util'
import type { LabEvent, Lane } from './events.ts'
import { told } from './words.ts'

/** The colours of the programs' names, in the order in which the programs start. */
const COLORS = ['cyan', 'magenta', 'yellow', 'green', 'blue'] as const

/** Who says what is no program's. */
const LAB = 'lab'

/** Makes lines of what happens in one cluster. */
export class Lines {
  readonly #lanes: readonly Lane[]
  readonly #width: number
  readonly #isColored: boolean

  constructor(lanes: readonly Lane[], isColored: boolean) {
    this.#lanes = lanes
    this.#width = Math.max(6, ...lanes.map(({ name }) => name.length))
    this.#isColored = isColored
  }

  /** The line for an event; nothing for what goes over the wire, which is for the page. */
  of(event: LabEvent): string | undefined {
    const { at } = event
    switch (event.type) {
      case 'line':
        return this.#line(at, event.lane, event.text)
      case 'state':
        return this.#line(
          at,
          event.lane,
          `(${event.state}${event.how === undefined ? '' : `, ${event.how}`})`,
        )
      case 'done':
        return this.#line(at, LAB, this.#strong(told(event.action)))
      case 'checked': {
        const why = event.why === undefined ? '' : `: ${event.why}`
        return this.#line(at, LAB, this.#strong(`${event.kept ? 'kept' : 'BROKEN'}: ${event.promise}${why}`))
      }
      default:
        return undefined
    }
  }

  #line(at: number, name: string, text: string): string {
    return ` ${at.toFixed(1).padStart(6)} s ${this.#colored(name)} | ${text}`
  }

  #colored(name: string): string {
    const padded = name.padEnd(this.#width)
    if (!this.#isColored || name === LAB) return padded
    const kinds = [...new Set(this.#lanes.map(({ program }) => program))]
    const kind = kinds.indexOf(this.#lanes.find((lane) => lane.name === name)?.program ?? '')
    const color = COLORS[kind % COLORS.length] // a command has none
    return color ? styleText(color, padded) : padded
  }

  #strong(text: string): string {
    return this.#isColored ? styleText('bold', text) : text
  }
}
