import type { Logger } from '@rpi-cluster/core/logging'
import type { ConnectingNode } from '@rpi-cluster/core/node'
import { Sensors } from '@rpi-cluster/core/sensors'
import { takeVitals, VitalsSender } from '@rpi-cluster/core/vitals'
import { all } from './sensors.ts'

/** What a secondary measures: what each machine has, and what its sensors find. */
export class Measuring {
  readonly #sensors: Sensors
  readonly #stop: AbortSignal
  #vitals!: VitalsSender
  /** Ends the pace of now. */
  #pace = new AbortController()
  #node: ConnectingNode | undefined

  /** @param seconds how often it measures */
  constructor(seconds: number, log: Logger, stop: AbortSignal) {
    this.#sensors = new Sensors(all, { log })
    this.#stop = stop
    this.setPace(seconds)
  }

  /** From now on it measures that often, in seconds. */
  setPace(seconds: number) {
    this.#pace.abort()
    this.#pace = new AbortController()
    const stop = AbortSignal.any([this.#stop, this.#pace.signal])
    this.#vitals = new VitalsSender({ seconds, take: () => this.#take(), stop })
    if (this.#node) this.#vitals.sendTo(this.#node)
  }

  /** Says what the sensors are called, and sends what is measured, as long as the node is connected. */
  async sendTo(node: ConnectingNode) {
    this.#node = node
    await node.send('sensors', this.#sensors.descriptions)
    this.#vitals.sendTo(node)
  }

  async #take() {
    const [basic, others] = await Promise.all([takeVitals(), this.#sensors.read()])
    return { ...basic, ...others }
  }
}
