/**
 * A node that connects to another one, and does something there again and again. Whoever extends it writes one method.
 *
 * @since 0.13.0
 */
import { randomInt } from 'node:crypto'
import { addAbortListener, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from './connection.ts'
import { type Answers, type AskOptions, Dialogue } from './dialogue.ts'
import { every, OperationalError } from './lifecycle.ts'
import { watch } from './liveness.ts'
import { machineDetails } from './machine.ts'
import { type Handlers, send, textOf } from './messages.ts'
import { type StayConnectedOptions, stayConnected } from './reconnect.ts'
import { ServiceManager } from './service-manager.ts'

/** How long a turn takes at least, in ms: one that does not wait is slowed to ten a second. */
const LEAST_TURN_MS = 100

/** After how many such turns, one after the other, that is told. One or two are no mistake. */
const HASTY_TURNS = 10

/** How often is looked whether there was silence, in ms. */
const LOOK_MS = 2_500

/** After how many looks in silence it is broken: after 7.5 s, half of what ends a connection. */
const QUIET_LOOKS = 3

export interface ConnectingNodeOptions extends StayConnectedOptions {
  /**
   * What a mistake in a method or a handler does, an error that is no OperationalError: it may `end` the node, with exit
   * code 1, or be told, and the node will `survive`. Default: `end`.
   */
  mistakes?: 'end' | 'survive'
}

/**
 * A node that connects.
 *
 * | When | What it does |
 * | --- | --- |
 * | it starts | picks its number, tells systemd that it is ready, connects |
 * | it is connected | watches the peer, greets it ({@link greet}), and takes turns ({@link performAction}) |
 * | one of the two has said nothing for 7.5 s | beats ({@link beat}): asks the peer something, whatever the turn is waiting for |
 * | the peer says something | calls its handler, or gives its answer, or tells that it is unknown |
 * | the connection is lost, or there is none | when the turn has ended, tells why, tries again, less and less often |
 * | it is back | greets again, with the same number, and takes turns again; nothing is sent twice |
 * | it is to drain | ends the pause of its turn, takes no further one, says goodbye when the peer has its answers |
 * | it is stopped | ends the turns, closes the connection; {@link run} resolves |
 * | a turn, a handler or an answer throws an OperationalError | tells it, and goes on while the connection is there |
 * | one of them throws anything else | as `mistakes` says: ends with exit code 1, or tells it and goes on |
 * | turns do not wait | slows them to ten a second, and tells it |
 */
export class ConnectingNode {
  /** The number that it is known by, from its start to its end: 1 to 100,000. */
  readonly client = randomInt(1, 100_001)

  /** What to do with each type of message. */
  handlers: Handlers = {}
  /** What to answer to which question. */
  answers: Answers = {}

  readonly #options: ConnectingNodeOptions
  #peer: Connection | undefined
  #dialogue: Dialogue | undefined
  #over: AbortSignal
  #hastyTurns = 0
  /** The turns of this connection. */
  #turns: Promise<void> = Promise.resolve()
  /** Aborted when a pause is to end: the connection is over, or the node drains. */
  #pauses = new AbortController()
  #isDraining = false

  /** Aborted when the connection is over: for whatever a turn waits for. */
  get over(): AbortSignal {
    return this.#over
  }

  /** Whether there is a connection now. */
  get isConnected(): boolean {
    return this.#peer?.socket.destroyed === false && !this.#over.aborted
  }

  constructor(options: ConnectingNodeOptions) {
    this.#options = options
    this.#over = options.stop
    addAbortListener(options.stop, () => this.#pauses.abort())
  }

  /**
   * Lives, until the program is stopped.
   *
   * @throws whatever a method or a handler throws that is no OperationalError, unless `mistakes` are survived
   */
  async run(): Promise<void> {
    const { peer, log, stop } = this.#options
    const manager = new ServiceManager({ log, stop })
    log.info(`Connecting to the ${peer}...`)
    manager.ready(`Waiting for the ${peer}`)
    await stayConnected(this.#options, async (connection, over) => {
      watch(connection)
      this.#peer = connection
      this.#over = over
      const pauses = new AbortController()
      over.addEventListener('abort', () => pauses.abort())
      this.#pauses = pauses
      this.#dialogue = new Dialogue(connection, {
        handlers: this.#carefulHandlers(),
        answers: this.#carefulAnswers(),
        unknown: (type, payload) => log.warn(`Unknown message: ${type}, with ${textOf(payload)}`),
      })
      log.info(`Connected to ${connection.address} as client ${this.client}`)
      manager.status(`Connected to ${connection.address} as client ${this.client}`)
      over.addEventListener('abort', () => manager.status(`Waiting for the ${peer}`))
      this.#turns = this.#takeTurns(over)
      await Promise.all([this.#dialogue.ended, this.#turns, this.#beat(connection, over)])
      // After a goodbye there is no loss to tell, and nobody to come back to.
      if (this.#isDraining && !stop.aborted) await once(stop, 'abort')
    })
  }

  /**
   * Lets what is in work come to its end, before it is stopped: the turn, and the answers that the peer waits for. Then it
   * says goodbye.
   *
   * @returns when there is no connection any more. Never rejects.
   */
  async drain(): Promise<void> {
    this.#isDraining = true
    this.#pauses.abort()
    await this.#turns.catch(() => {}) // who waits for it is told
    if (this.#peer?.socket.destroyed === false) await this.#dialogue?.finish()
  }

  /** Says to a peer what it has to know, once for each connection: by default the details of this machine, and the number. */
  async greet(): Promise<void> {
    await this.send('computer_details', { ...(await machineDetails()), client: this.client })
  }

  /**
   * One turn: whatever this node is for. It is called again as soon as it has ended, as long as there is a connection, so
   * it waits itself: by {@link pause}, or by what takes the signal {@link over}. Nothing goes on after a loss until the
   * turn has ended. By default it does nothing for five seconds.
   */
  async performAction(): Promise<void> {
    await this.pause(5_000)
  }

  /**
   * Breaks a silence: says something that the peer answers, or has to. By default it asks for `computer_details`, and what
   * comes is of no use.
   */
  async beat(): Promise<void> {
    await this.send('info', 'computer_details')
  }

  /** Waits some milliseconds, or until the connection is over. Never rejects. */
  async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#pauses.signal }).catch(() => {})
  }

  /**
   * Sends a message to the peer.
   *
   * @throws OperationalError when there is no connection
   */
  async send(type: string, payload: unknown): Promise<void> {
    await send(this.#connected(this.#peer), type, payload)
  }

  /**
   * Asks the peer something, as {@link Dialogue.ask} does.
   *
   * @throws OperationalError when there is no connection, or no answer
   */
  ask(question: string, options: AskOptions): Promise<unknown> {
    return this.#connected(this.#dialogue).ask(question, options)
  }

  #connected<Thing>(thing: Thing | undefined): Thing {
    if (thing === undefined || this.#over.aborted)
      throw new OperationalError(`There is no connection to the ${this.#options.peer} now.`)
    return thing
  }

  /** Breaks a silence before it is one to the peer, or to this end: a question says something, and its answer as well. */
  async #beat({ socket }: Connection, over: AbortSignal): Promise<void> {
    let [read, written, quiet] = [0, 0, 0]
    for await (const _ of every(LOOK_MS, over, { firstAfter: LOOK_MS })) {
      if (this.#isDraining) return
      const isQuiet = socket.bytesRead === read || socket.bytesWritten === written
      quiet = isQuiet ? quiet + 1 : 0
      if (quiet >= QUIET_LOOKS) {
        await this.#carefully('The beat', () => this.beat())
        quiet = 0
      }
      ;[read, written] = [socket.bytesRead, socket.bytesWritten]
    }
  }

  async #takeTurns(over: AbortSignal): Promise<void> {
    this.#hastyTurns = 0 // a connection that is lost at once has one
    await this.#carefully('greet', () => this.greet())
    while (!over.aborted && !this.#isDraining) {
      let isHasty = true
      const least = sleep(LEAST_TURN_MS, undefined, { signal: over }).then(
        () => {
          isHasty = false
        },
        () => {},
      )
      await this.#carefully('performAction', () => this.performAction())
      if (isHasty) this.#slow()
      else this.#hastyTurns = 0
      if (!this.#isDraining) await least
    }
  }

  #slow(): void {
    this.#hastyTurns += 1
    if (this.#hastyTurns !== HASTY_TURNS) return
    this.#options.log.warn(
      `performAction has taken less than a tenth of a second ${HASTY_TURNS} times in a row, and is called ten times a second at most. Let it wait, as in: await this.pause(5_000)`,
    )
  }

  #carefulHandlers(): Handlers {
    const careful = Object.entries(this.handlers).map(([type, handler]): [string, Handlers[string]] => [
      type,
      (payload, peer) => this.#carefully(`The handler of ${type}`, async () => handler(payload, peer)),
    ])
    // What comes back to a beat is of use to nobody but who asks for it.
    return { master_info: () => {}, primary_info: () => {}, ...Object.fromEntries(careful) }
  }

  #carefulAnswers(): Answers {
    const careful = Object.entries(this.answers).map(([question, answer]) => [
      question,
      // Without one, the dialogue refuses.
      (peer: Connection, about: unknown) =>
        this.#carefully(`The answer to ${question}`, async () => answer(peer, about)),
    ])
    return Object.fromEntries(careful)
  }

  /** Does something that somebody has written who may have made a mistake. */
  async #carefully<Result>(what: string, work: () => Promise<Result>): Promise<Result | undefined> {
    const { log, mistakes = 'end' } = this.#options
    try {
      return await work()
    } catch (error) {
      // What fails since there is no connection any more is told by the loss.
      this.#peer?.throwIfLost()
      if (error instanceof OperationalError) {
        log.warn(`${what}: ${error.message}`)
      } else {
        if (mistakes === 'end') throw error
        log.error(
          `A mistake in ${what.replace(/^The/, 'the')}, which the node survives: ${error} (its stack is in the log file)`,
        )
        log.debug({ err: error }, 'Where the mistake was')
      }
      return undefined
    }
  }
}
