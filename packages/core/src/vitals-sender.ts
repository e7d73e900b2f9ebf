/**
 * When a node sends its vitals: at a steady pace, at moments of its own, whether its connection lasts or not. A thousand
 * nodes that have come back to one peer do not all send at once.
 *
 * @since 0.17.0
 */
import { every, OperationalError, stopRequest } from './lifecycle.ts'
import { takeVitals, type Vitals, vitalsJson } from './machine-vitals.ts'

/** Who sends, as a ConnectingNode does. */
interface Sender {
  send(type: string, payload: unknown): Promise<void>
  /** Aborted when the connection is over. Another one has another. */
  readonly over: AbortSignal
}

export interface VitalsSenderOptions {
  /** How often they are sent, in seconds. */
  seconds: number
  /** What is sent: numbers by their names. Default: {@link takeVitals}. */
  take?: () => Promise<Readonly<Record<string, number>> | Vitals>
  /** Ends it. Default: the stop signal of this program. */
  stop?: AbortSignal
}

/**
 * Sends vitals, one set after the other, over one connection after the other.
 *
 * | When | What it does |
 * | --- | --- |
 * | the first connection is greeted | measures, and sends |
 * | after a part of the time, at random, and from then on whenever the time has passed | the same |
 * | there is no connection then | waits for the next one, and sends at once |
 * | a connection comes before the time | waits until it has passed |
 */
export class VitalsSender {
  readonly #take: () => Promise<Readonly<Record<string, number>> | Vitals>
  readonly #stop: AbortSignal
  readonly #ms: number
  /** Who sends, and until when: the next connection may be one to somebody who wants none. */
  #connection: { sender: Sender; over: AbortSignal } | undefined
  #areDue = true
  #isBusy = false

  constructor({ seconds, take = takeVitals, stop = stopRequest }: VitalsSenderOptions) {
    this.#take = take
    this.#stop = stop
    this.#ms = seconds * 1000
  }

  /**
   * Sends them over this connection, as long as it lasts: to be called when the peer was greeted. What `take` throws is a
   * mistake of the program, unless that is stopped.
   */
  sendTo(sender: Sender): void {
    if (this.#connection === undefined) void this.#count()
    this.#connection = { sender, over: sender.over }
    void this.#sendWhatIsDue()
  }

  /** The moments are this node's own from the second one on: those that start together part there. */
  async #count(): Promise<void> {
    for await (const _ of every(this.#ms, this.#stop, { firstAfter: Math.random() * this.#ms })) {
      this.#areDue = true
      void this.#sendWhatIsDue()
    }
  }

  async #sendWhatIsDue(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      while (this.#areDue && this.#isConnected()) {
        const json = vitalsJson(await this.#take())
        if (!this.#isConnected()) continue
        this.#areDue = false
        await this.#connection?.sender.send('vitals', json)
      }
    } catch (error) {
      // Why a connection is lost is told by whoever reads it.
      if (!(error instanceof OperationalError || this.#stop.aborted)) throw error
    } finally {
      this.#isBusy = false
    }
  }

  /** Whether there is a connection. It may be another one than a moment ago. */
  #isConnected(): boolean {
    return this.#connection !== undefined && !this.#connection.over.aborted
  }
}
