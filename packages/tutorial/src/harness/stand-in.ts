/** What stands in for the program that others connect to, so that a test sees what they send, and says what it likes. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { Received } from './received.ts'

/** Listens in a program's place, and keeps what arrives. */
export class StandIn {
  readonly #received = new Received()
  readonly #server = createServer((socket) => this.#take(socket))
  readonly #sockets: Socket[] = []

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** Everything that has arrived so far, as text. */
  get received(): string {
    return this.#received.text
  }

  /** Waits until so many bytes have arrived, or what has arrived matches a pattern. */
  receives(what: number | RegExp): Promise<void> {
    return this.#received.until(what)
  }

  /** Says something to everybody who is connected. */
  says(text: string): void {
    for (const socket of this.#sockets) socket.write(text)
  }

  /** Closes every connection, and listens no more. */
  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #take(socket: Socket): void {
    this.#sockets.push(socket)
    socket.on('error', () => {})
    this.#received.from(socket)
  }
}
