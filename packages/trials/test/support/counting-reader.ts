/** A peer that reads the numbered messages of sender.ts, and notices when one is missing. */
import { handleMessages } from '@rpi-cluster/core/messages'
import { type Connection, connect } from '@rpi-cluster/core/sockets'

export class CountingReader {
  /** The number of the last message that was read. */
  read = 0
  /** The first number that was not the one after the last, if any. */
  disorder: number | undefined
  readonly #master: Connection
  readonly #reading: Promise<void>

  private constructor(master: Connection) {
    this.#master = master
    this.#reading = handleMessages(master, { message: (message) => this.#take(message) }, () => {})
  }

  static async connect(port: number): Promise<CountingReader> {
    const { signal: stop } = new AbortController()
    return new CountingReader(await connect({ peer: 'sender', host: '127.0.0.1', port, stop }))
  }

  async leave(): Promise<void> {
    await this.#master.close()
    await this.#reading
  }

  #take(message: unknown): void {
    const { number } = message as { number: number }
    if (number !== this.read + 1) this.disorder ??= number
    this.read = number
  }
}
