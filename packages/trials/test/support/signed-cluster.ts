/** A master that signs or encrypts, and good nodes of which no message may be lost while somebody else is bad. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openKey } from '@rpi-cluster/core/key-files'
import { createLogger } from '@rpi-cluster/core/logging'
import { send } from '@rpi-cluster/core/messages'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { signedBy } from '@rpi-cluster/core/signed'
import { type Connection, connect } from '@rpi-cluster/core/sockets'
import { ChapterCopy, freePort, type Running } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'
import { BadPeer } from './bad-peer.ts'
import { nested } from './cluster.ts'

const PATIENCE = { timeout: 20_000, interval: 10 }
const GOOD = 4

/** What connections are. */
export type Way = 'signed' | 'encrypted'

/** What a node that has proven its key may still say wrong, and what is told of it. */
export const WRONG_FRAMES = [
  ['no JSON', 'hello\r', /A frame from bad at .* is not JSON/],
  ['not UTF-8', Buffer.from([0xff, 0x0d]), /A frame from bad at .* is not UTF-8/],
  ['the wrong shape', '{"type":7,"payload":1}\r', /A frame from bad at .* is of the wrong shape/],
  ['nested deeply', `${nested(200_000)}\r`, /Received message from bad: \(a payload nested too deeply/],
  ['too much in a frame', `"${'x'.repeat(1024 * 1024)}"\r`, /A frame from bad at .* is too large/],
] as const

export class SignedCluster {
  readonly port: number
  readonly master: Running
  readonly #way: Way
  readonly #chapter: ChapterCopy
  readonly #stop = new AbortController()
  readonly #good: Connection[] = []
  #sent = 0

  private constructor(way: Way, chapter: ChapterCopy, port: number, master: Running) {
    this.#way = way
    this.#chapter = chapter
    this.port = port
    this.master = master
  }

  static async start(way: Way = 'signed'): Promise<SignedCluster> {
    const chapter = await ChapterCopy.make('06-slave-details')
    const text = await readFile(new URL('signed-master.ts', import.meta.url), 'utf8')
    await chapter.write('src/signed-master.ts', text)
    const port = await freePort()
    const args = [String(port), join(chapter.folder, 'keys'), way]
    const master = await chapter.run('signed-master', { args })
    await master.says(/Listening on/)
    const cluster = new SignedCluster(way, chapter, port, master)
    while (cluster.#good.length < GOOD) cluster.#good.push(await cluster.connects('good'))
    await cluster.losesNothing()
    return cluster
  }

  /** What a node proves itself with. */
  async #secure(node: string) {
    const { signal: stop } = this.#stop
    const file = join(this.#chapter.folder, 'keys', `${node}.key`)
    const log = createLogger('trial', { folder: this.#chapter.folder })
    const key = await openKey({ file, log, stop })
    return this.#way === 'encrypted' ? encryptedBy(key) : signedBy(key)
  }

  async connects(node: string): Promise<Connection> {
    const { signal: stop } = this.#stop
    return connect({
      peer: 'master',
      host: '127.0.0.1',
      port: this.port,
      stop,
      secure: await this.#secure(node),
    })
  }

  /** Each good node says something, and all of it arrives. */
  async losesNothing(): Promise<void> {
    this.#sent += 1
    const texts = this.#good.map((_, index) => `good ${index} says ${this.#sent}`)
    for (const [index, node] of this.#good.entries()) await send(node, 'message', texts[index])
    await vi.waitFor(() => {
      const all = this.master.messages.join('\n')
      for (const text of texts) expect(all).toContain(`Received message from good: ${text}`)
    }, PATIENCE)
  }

  /** A node that has proven its key says something wrong: it is told, and the good ones lose nothing. */
  async survives(said: string | Buffer, told: RegExp): Promise<void> {
    const peer = await this.connects('bad')
    void peer.write(said, 'latin1')
    await this.logs(told)
    await this.losesNothing()
    await peer.close()
  }

  /** Nothing but what nodes with a key say is ever handed over, and no mistake of the program has shown. */
  nobodyWasBelieved(): void {
    const { messages } = this.master
    const believed = messages.filter((line) =>
      /Received message from (?!good: |bad: \(a payload nested)/.test(line),
    )
    expect(believed).toEqual([])
    expect(messages.filter((line) => /mistake/.test(line))).toEqual([])
  }

  /** Stops the master, which has survived all of it. */
  async endsWell(): Promise<void> {
    await this.master.stop('SIGTERM')
    expect(this.master.exitCode).toBe(0)
    this.nobodyWasBelieved()
  }

  /** A bad peer that has not proven anything. */
  stranger(): Promise<BadPeer> {
    return BadPeer.connect(this.port, { ownAddress: true })
  }

  /** Waits for a line of the master's log, with this in it as well. */
  async logs(pattern: RegExp, text = ''): Promise<void> {
    const isIt = (line: string) => pattern.test(line) && line.includes(text)
    await vi.waitFor(() => expect(this.master.messages.some(isIt), String(pattern)).toBe(true), PATIENCE)
  }

  async end(): Promise<void> {
    this.#stop.abort()
    await this.#chapter.remove()
  }
}
