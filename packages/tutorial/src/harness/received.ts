/** What has arrived at an end that a test plays. */
import type { Socket } from 'node:net'
import { HarnessError, PATIENCE_MS } from './patience.ts'

/** Everything that has come over some connections so far. */
export class Received {
  text = ''
  #onChange: () => void = () => {}

  /** Keeps what comes over a connection, too. */
  from(socket: Socket): void {
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.text += text
      this.#onChange()
    })
  }

  /** Waits until so many bytes have arrived, or what has arrived matches a pattern. */
  async until(what: number | RegExp): Promise<void> {
    const isThere = () => (typeof what === 'number' ? this.text.length >= what : what.test(this.text))
    await new Promise<void>((resolve, reject) => {
      const timeout = setTimeout(
        () => reject(new HarnessError(`Only this arrived: ${JSON.stringify(this.text)}`)),
        PATIENCE_MS,
      )
      this.#onChange = () => {
        if (!isThere()) return
        clearTimeout(timeout)
        resolve()
      }
      this.#onChange()
    })
  }
}
