/**
 * A node that others connect to: it knows who is here, watches them, and answers.
 *
 * @since 0.13.0
 */
import { once } from 'node:events'
import type { Connection } from './connection.ts'
import { type Answers, type AskOptions, Dialogue } from './dialogue.ts'
import { OperationalError } from './lifecycle.ts'
import { type Listener, type ListenOptions, listen } from './listening.ts'
import { watch } from './liveness.ts'
import { type Handlers, textOf } from './messages.ts'
import { Roster, type RosterOptions } from './roster.ts'
import { ServiceManager } from './service-manager.ts'

/**
 * What a node listens with, and whether people read who comes and goes.
 *
 * @internal
 */
export interface ListeningNodeOptions extends ListenOptions, Pick<RosterOptions, 'tellsWhoIsHere'> {}

/**
 * A node that listens.
 *
 * | When | What it does |
 * | --- | --- |
 * | it starts | listens, and tells systemd that it is ready |
 * | a peer comes | gives it a row in the {@link roster}, and watches it |
 * | a peer says something | calls its handler, or gives its answer, or tells that it is unknown |
 * | a peer goes, or is silent for too long | takes its row away, tells why |
 * | a handler or an answer throws | tells it, and closes this peer's connection; the others go on |
 * | it is to drain | takes no further peer, says goodbye to each when it has its answers, takes what they say until they have heard it |
 * | it is stopped | closes every connection; {@link run} resolves |
 */
export class ListeningNode {
  /** Who is here. */
  readonly roster: Roster
  /** What to do with each type of message. */
  handlers: Handlers = {}
  /** What to answer to which question. */
  answers: Answers = {}

  readonly #options: ListenOptions
  readonly #dialogues = new Map<Connection, Dialogue>()
  #server: Listener | undefined

  constructor(options: ListeningNodeOptions) {
    this.#options = options
    this.roster = new Roster(options)
  }

  /**
   * Lives, until the program is stopped.
   *
   * @throws OperationalError when it cannot listen
   */
  async run(): Promise<void> {
    const { log, stop } = this.#options
    const { handlers, answers, roster } = this
    const manager = new ServiceManager({ log, stop })
    const server = await listen(this.#options, async (peer) => {
      roster.add(peer)
      watch(peer)
      const dialogue = new Dialogue(peer, {
        handlers,
        answers,
        unknown: (type, payload) =>
          log.warn(`Unknown message from ${roster.nameOf(peer)}: ${type}, with ${textOf(payload)}`),
      })
      this.#dialogues.set(peer, dialogue)
      await dialogue.ended.finally(() => this.#dialogues.delete(peer))
    })
    this.#server = server
    log.info(`Listening on ${server.address}`)
    manager.ready(`Listening on ${server.address}`)
    if (!stop.aborted) await once(stop, 'abort')
  }

  /**
   * Asks one of its peers, as a dialogue does.
   *
   * @throws what `ask` of a dialogue throws; an OperationalError when that peer has gone
   */
  async ask(peer: Connection, question: string, options: AskOptions): Promise<unknown> {
    const dialogue = this.#dialogues.get(peer)
    if (!dialogue) throw new OperationalError(`${this.roster.nameOf(peer)} has gone, and cannot be asked.`)
    return await dialogue.ask(question, options)
  }

  /**
   * Lets what is in work come to its end, before it is stopped. Nobody is taken any more; each peer gets the answers that
   * it waits for, and then a goodbye, and what it had said is taken.
   *
   * @returns when there is no connection any more. Never rejects.
   */
  async drain(): Promise<void> {
    this.#server?.stopAccepting()
    const dialogues = [...this.#dialogues.values()]
    // An answer to one may wait for what another says: none is said goodbye to before all have theirs.
    await Promise.all(dialogues.map((dialogue) => dialogue.answered()))
    await Promise.all(dialogues.map((dialogue) => dialogue.finish()))
  }
}
