/**
 * What a machine measures of itself, one sensor after the other: a plug-in point. Who adds a sensor writes what it is called, and
 * how it is read; that it may fail, take for ever, or be on another machine only, is thought of here.
 *
 * @since 0.18.0
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { stopRequest } from './lifecycle.ts'
import type { Logger } from './logging.ts'

/** How long a sensor may take, in ms, unless told otherwise: longer than a busy Pi takes to start a program. */
const DEFAULT_TIMEOUT_MS = 5_000

/** Something that can be measured. */
export interface Sensor {
  /** Its name on the wire and in a store, in small letters, digits and `_`: `cpu_temperature`. */
  vital: string
  /** What people call it: `Temperature of the processor`. */
  label: string
  /** What is counted: `°C`. Empty where it is a mere number. */
  unit: string
  /**
   * Measures once. Undefined where this machine has no such thing: then nothing is sent, and nothing is told.
   *
   * @param stop aborted when nobody waits for it any more
   */
  read(stop: AbortSignal): number | undefined | Promise<number | undefined>
}

/** What people should know of a number. */
export interface SensorDescription {
  label: string
  unit: string
}

export interface SensorsOptions {
  /** Where is told that one cannot be read, once until it can be again. */
  log: Logger
  /** How long one may take, in ms. Default: 5,000. */
  timeoutMs?: number
  /** What ends the reading. Default: the stop signal of this program. */
  stop?: AbortSignal
}

/** The sensors of a machine. */
export class Sensors {
  readonly #sensors: readonly Sensor[]
  readonly #options: SensorsOptions
  /** Those that could not be read the last time. */
  readonly #failing = new Set<Sensor>()

  /** @throws TypeError when two sensors measure the same vital, or a name is none */
  constructor(sensors: readonly Sensor[], options: SensorsOptions) {
    for (const [index, { vital }] of sensors.entries()) {
      if (!/^[a-z][a-z0-9_]{0,39}$/.test(vital))
        throw new TypeError(`"${vital}" is no name of a vital: write it like cpu_temperature.`)
      if (sensors.findIndex((other) => other.vital === vital) !== index)
        throw new TypeError(`Two sensors measure ${vital}.`)
    }
    this.#sensors = sensors
    this.#options = options
  }

  /** What people should know of each, by its vital. */
  get descriptions(): Record<string, SensorDescription> {
    return Object.fromEntries(this.#sensors.map(({ vital, label, unit }) => [vital, { label, unit }]))
  }

  /**
   * Reads all of them, side by side. What fails, takes too long, or gives no finite number is left out.
   *
   * @returns the numbers, by their vitals
   * @throws an AbortError when the program is stopped first
   */
  async read(): Promise<Record<string, number>> {
    const values = await Promise.all(this.#sensors.map((sensor) => this.#readOne(sensor)))
    ;(this.#options.stop ?? stopRequest).throwIfAborted()
    const found = this.#sensors.map(({ vital }, index) => [vital, values[index]] as const)
    return Object.fromEntries(found.filter((entry): entry is [string, number] => entry[1] !== undefined))
  }

  async #readOne(sensor: Sensor): Promise<number | undefined> {
    const { log, timeoutMs = DEFAULT_TIMEOUT_MS, stop = stopRequest } = this.#options
    const over = new AbortController()
    const ends = AbortSignal.any([over.signal, stop])
    try {
      const late = sleep(timeoutMs, undefined, { signal: ends, ref: false }).then(() => {
        throw new Error(`it took longer than ${timeoutMs / 1000} s`)
      })
      // A sensor's mistake may also be thrown before there is a promise.
      const value = await Promise.race([(async () => sensor.read(ends))(), late])
      if (value !== undefined && !Number.isFinite(value)) throw new Error(`it says ${value}`)
      if (this.#failing.delete(sensor)) log.info(`The sensor ${sensor.vital} can be read again.`)
      return value
    } catch (error) {
      if (stop.aborted || this.#failing.has(sensor)) return undefined
      this.#failing.add(sensor)
      log.warn(`The sensor ${sensor.vital} cannot be read: ${messageOf(error)}. It is left out until it can.`)
      return undefined
    } finally {
      over.abort()
    }
  }
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, '')
}
