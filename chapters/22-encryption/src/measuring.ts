import type { Logger } from '@rpi-cluster/core/logging'
import type { ConnectingNode } from '@rpi-cluster/core/node'
import { Sensors } from '@rpi-cluster/core/sensors'
import { takeVitals, VitalsSender } from '@rpi-cluster/core/vitals'
import { all } from './sensors.ts'

/** What a secondary measures: what each machine has, and what its sensors find. */
export class Measuring {
  readonly #sensors: Sensors
  readonly #vitals: VitalsSender

  /** @param seconds how often it measures */
  constructor(seconds: number, log: Logger) {
    this.#sensors = new Sensors(all, { log })
    this.#vitals = new VitalsSender({ seconds, take: () => this.#take() })
  }

  /** Says what the sensors are called, and sends what is measured, as long as the node is connected. */
  async sendTo(node: ConnectingNode) {
    await node.send('sensors', this.#sensors.descriptions)
    this.#vitals.sendTo(node)
  }

  async #take() {
    const [basic, others] = await Promise.all([takeVitals(), this.#sensors.read()])
    return { ...basic, ...others }
  }
}
