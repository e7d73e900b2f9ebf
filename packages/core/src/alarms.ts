/**
 * What somebody should know at once: a node that is hot, or full, or says nothing. An alarm has two limits, so that a value that
 * sways about one of them raises no alarm with every sway: it is raised at the first, and over only behind the second.
 *
 * @since 0.18.0
 */
import { addAbortListener } from 'node:events'
import * as v from 'valibot'
import type { VitalsRow } from './kept-vitals.ts'
import { stopRequest } from './lifecycle.ts'
import { LiveTable } from './live-table.ts'
import type { Logger } from './logging.ts'
import type { NodeRow } from './presence.ts'

/** How often is looked, in ms: as often as at who is here. */
const LOOK_INTERVAL_MS = 250

/** How long a node must be away for an alarm, and back for the end of one, in ms, unless told otherwise: a restart is none. */
const DEFAULT_SILENCE_MS = 15_000

/** How old a value may be, in ms, to be called one of now: of those that come every minute, five are missing. */
const OLD_AFTER_MS = 300_000

/** When a vital is an alarm. */
export interface AlarmRule {
  /** What the node is then: `hot`. */
  says: string
  /** An alarm is raised at this value, or beyond. */
  from: number
  /** It is over at this value, or before. Less than `from`, where much is bad; more than it, where little is. */
  until: number
  /** What is counted: `°C`. */
  unit?: string
}

const shortText = v.pipe(v.string(), v.maxLength(200))

/** What a table says of an alarm: on the wire, and on a page. */
export const alarmRow = v.object({
  /** What texts call the node: `pi #4711`. */
  name: shortText,
  /** What it is: `hot`. */
  says: shortText,
  /** More of it: `82.1 °C`. */
  detail: shortText,
  /** Since when, as ISO 8601 has it. */
  since: v.pipe(v.string(), v.isoTimestamp()),
})

/** What a table says of an alarm. */
export type AlarmRow = v.InferOutput<typeof alarmRow>

export interface AlarmsOptions {
  /** Where an alarm is told, and its end. */
  log: Logger
  /** Who is here. */
  presence: LiveTable<NodeRow>
  /** The vitals, by node. */
  vitals: LiveTable<VitalsRow>
  /** By the vital: when it is an alarm. */
  rules: Readonly<Record<string, AlarmRule>>
  /** How long a node must be away for an alarm, and back for its end, in ms. Default: 15,000. */
  silenceMs?: number
  /** Ends the looking. Default: the stop signal of this program. */
  stop?: AbortSignal
}

/** The alarms that there are, as a table that can be followed. Each is told in the log when it begins, and when it is over. */
export class Alarms {
  readonly table = new LiveTable<AlarmRow>()

  readonly #options: AlarmsOptions
  /** By alarms of silence: at how many looks, one after the other, the node was away and there was none, or here and there was one. */
  readonly #changing = new Map<string, number>()

  constructor(options: AlarmsOptions) {
    this.#options = options
    const timer = setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref()
    addAbortListener(options.stop ?? stopRequest, () => clearInterval(timer))
  }

  #look(): void {
    const ids = new Set<string>()
    for (const [node, row] of this.#options.presence.entries()) {
      const id = `${node} silent`
      ids.add(id)
      this.#lookWhetherHere(id, row)
    }
    for (const [node, { name, time, values }] of this.#options.vitals.entries()) {
      if (time !== undefined && Date.now() - Date.parse(time) > OLD_AFTER_MS) continue
      for (const [vital, rule] of Object.entries(this.#options.rules)) {
        const value = values[vital]
        if (value === undefined) continue
        const id = `${node} ${vital}`
        ids.add(id)
        this.#compare(id, name, value, rule)
      }
    }
    for (const [id] of this.table.entries()) if (!ids.has(id)) this.#end(id, 'nothing is known of it now')
    for (const id of this.#changing.keys()) if (!ids.has(id)) this.#changing.delete(id)
  }

  #lookWhetherHere(id: string, { name, state }: NodeRow): void {
    const isAway = state !== 'here'
    const isRaised = this.table.get(id) !== undefined
    if (isAway === isRaised) {
      this.#changing.delete(id)
      return
    }
    const looks = (this.#changing.get(id) ?? 0) + 1
    this.#changing.set(id, looks)
    if (looks * LOOK_INTERVAL_MS <= (this.#options.silenceMs ?? DEFAULT_SILENCE_MS)) return
    this.#changing.delete(id)
    if (isAway) this.#raise(id, { name, says: 'silent', detail: 'nothing comes from it' })
    else this.#end(id, 'it is back')
  }

  #compare(id: string, name: string, value: number, { says, from, until, unit = '' }: AlarmRule): void {
    const isMuchBad = until <= from
    const detail = `${Math.round(value * 10) / 10} ${unit}`.trim()
    const raised = this.table.get(id)
    if (raised === undefined) {
      if (isMuchBad ? value >= from : value <= from) this.#raise(id, { name, says, detail })
    } else if (isMuchBad ? value <= until : value >= until) {
      this.#end(id, detail)
    } else {
      this.table.set(id, { ...raised, name, detail })
    }
  }

  #raise(id: string, alarm: Omit<AlarmRow, 'since'>): void {
    this.#options.log.warn(`${alarm.name} is ${alarm.says}: ${alarm.detail}`)
    this.table.set(id, { ...alarm, since: new Date().toISOString() })
  }

  #end(id: string, detail: string): void {
    const alarm = this.table.get(id)
    if (alarm) this.#options.log.info(`${alarm.name} is ${alarm.says} no more: ${detail}`)
    this.table.delete(id)
  }
}
