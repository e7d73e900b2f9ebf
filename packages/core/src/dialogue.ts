/**
 * Questions and answers over one connection, between other messages. Both ends may ask, several questions may be
 * open at once, and while one is, everything else goes on. An answer may come late, twice, out of turn, or never: the
 * asker is told what came of its question, once, within a time.
 *
 * @since 0.7.0
 */
import type { Connection } from './connection.ts'
import { forEachMessage } from './each-message.ts'
import { beginningOf, isEnvelope, parseEnvelope } from './envelopes.ts'
import type { BudgetOptions } from './frame-budget.ts'
import { asciiJson, type FrameOptions } from './frames.ts'
import { OperationalError, stopRequest } from './lifecycle.ts'
import { envelope, type Handlers, type UnknownHandler } from './messages.ts'
import { OpenQuestions, type PossibleAnswer, REFUSAL } from './open-questions.ts'
import { sendJson } from './sending.ts'

export { Refusal } from './open-questions.ts'

/** The type of a question. Its payload says what is asked: `computer_details`. */
const QUESTION = 'info'

/** How long an asker waits for an answer, in ms, unless told otherwise. A Python node measures for one second before it answers. */
const DEFAULT_ANSWER_TIMEOUT_MS = 10_000

/**
 * How many questions of one peer are worked on at once. While there are so many, no more is read from it: it is the
 * number that an asker of this core keeps open.
 */
const MAX_ANSWERS_IN_WORK = 64

/** How long a peer that was said goodbye to may take to close its end, in ms. A frozen one never does. */
const GOODBYE_TIMEOUT_MS = 2_000

/** An answer, as it goes over the wire. */
export interface Answer {
  /** What the asker knows it by: `master_info`. */
  type: string
  /** Anything that has a JSON form, and is not undefined. */
  payload: unknown
}

/**
 * What to answer to each question, to whom, and what the question is about, if it says that: whatever the peer has sent, so
 * look before you trust it. It may take its time: nothing else waits for it. Undefined refuses the question.
 */
export type Answers = Record<
  string,
  (peer: Connection, about: unknown) => Answer | undefined | Promise<Answer | undefined>
>

/** What a dialogue does with what the peer says. */
export interface DialogueOptions extends FrameOptions, BudgetOptions {
  /** What to do with each type of message that is neither a question nor an answer. Default: all are unknown. */
  handlers?: Handlers
  /** What to answer to which question. One that is not here is refused. Default: all are. */
  answers?: Answers
  /** What to do with a message that has no handler, and with a question that is refused. */
  unknown: UnknownHandler
}

/** How a question is asked. */
export interface AskOptions {
  /** The type that its answer has: `master_info`. Or several, of which any will do. */
  answer: string | readonly string[]
  /**
   * What the question is about, if it is about something: anything that has a JSON form. A peer that does not know of it,
   * as one in Python, answers without it, or refuses.
   */
  about?: unknown
  /** How long to wait for the answer, in milliseconds. Default: 10,000. */
  timeoutMs?: number
  /** What ends the wait. Default: the stop signal of this program. */
  stop?: AbortSignal
}

/** One end's part in a conversation. It reads the connection from its beginning on: nobody else may read it. */
export class Dialogue {
  /**
   * Resolves when the peer has said its last and has its answers, or this end has closed the connection.
   *
   * It is rejected with a FrameError when the peer breaks the protocol; with an OperationalError when the connection is
   * lost, or nobody can say any more which answer is whose; with whatever a handler or an answer throws. The
   * connection is closed then. A program that does not wait for it ends with that error, as with any that nobody caught.
   */
  readonly ended: Promise<void>

  readonly #connection: Connection
  readonly #options: DialogueOptions
  readonly #questions: OpenQuestions
  /** The answers that are being made. */
  readonly #inWork = new Set<Promise<void>>()
  /** Where an asker repeats no ids, answers go out in the order of their questions: this is the last of them. */
  #answeredInOrder: Promise<void> = Promise.resolve()
  #isFinishing = false
  #fail: (error: unknown) => void = () => {}
  #workIsLess: () => void = () => {}

  constructor(connection: Connection, options: DialogueOptions) {
    this.#connection = connection
    this.#options = options
    this.#questions = new OpenQuestions(connection)
    // A peer that says no more may still wait for an answer.
    connection.socket.allowHalfOpen = true
    this.ended = this.#read()
  }

  /**
   * Asks the peer something. Other messages are handled while the answer is on its way. (Not while a handler is at
   * work: one that waits for an answer here waits in vain.)
   *
   * @param question what to ask: `computer_details`
   * @returns the payload of the answer, whatever the peer has put into it: look before you trust it
   * @throws Refusal when the peer does not answer such a question
   * @throws OperationalError when no answer comes in time, when it is of another type, when the connection is lost, or
   *   when 64 questions to this peer have no answer yet. If the peer repeats no ids, a question that was given up ends
   *   the connection, since the next answer might be its own.
   * @throws the signal's reason, an AbortError, when `stop` is aborted first
   */
  async ask(
    question: string,
    { answer, about, timeoutMs = DEFAULT_ANSWER_TIMEOUT_MS, stop = stopRequest }: AskOptions,
  ): Promise<unknown> {
    stop.throwIfAborted()
    this.#connection.throwIfLost()
    const { id, answered } = this.#questions.open(question, answer)
    const { peer } = this.#connection
    const timedOut = () =>
      this.#giveUp(
        id,
        new OperationalError(`No answer from ${peer} to "${question}" in ${timeoutMs / 1000} s.`),
      )
    const stopped = () => this.#giveUp(id, stop.reason)
    const timeout = setTimeout(timedOut, timeoutMs)
    stop.addEventListener('abort', stopped, { once: true })
    try {
      await Promise.race([answered, this.#send({ type: QUESTION, payload: question }, id, about)])
      return await answered
    } catch (error) {
      this.#questions.giveUp(id, error as Error) // when it could not be sent
      throw error
    } finally {
      clearTimeout(timeout)
      stop.removeEventListener('abort', stopped)
    }
  }

  /** Resolves when those questions are answered that are in work now. Never rejects. */
  async answered(): Promise<void> {
    await Promise.allSettled(this.#inWork)
  }

  /**
   * Ends the conversation without losing any of it: answers what was asked, says that it is the last, and takes what the
   * peer says until it has heard that, and closes its end. A question that comes meanwhile is not answered; who asked it
   * learns that with the end of the connection.
   *
   * @returns when the connection is over; two seconds after this end's last word at the latest. Never rejects.
   */
  async finish(): Promise<void> {
    this.#isFinishing = true
    await Promise.allSettled(this.#inWork)
    this.#connection.endWriting()
    const timeout = setTimeout(() => void this.#connection.close(), GOODBYE_TIMEOUT_MS)
    await this.ended.catch(() => {}) // who waits for it is told
    clearTimeout(timeout)
    await this.#connection.close()
  }

  /** Gives up a question that is on its way. The peer may still answer it. */
  #giveUp(id: number, why: Error): void {
    this.#questions.giveUp(id, why)
    const { closedHere, peer } = this.#connection
    if (this.#questions.repeatsIds || closedHere) return
    this.#fail(
      why instanceof OperationalError
        ? why
        : new OperationalError(
            `A question to ${peer} was given up, and which answer is whose cannot be said any more.`,
          ),
    )
  }

  async #read(): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject
    })
    failed.catch(() => {})
    try {
      const options = { schema: envelope, accepts: isEnvelope, parse: parseEnvelope, ...this.#options }
      await Promise.race([
        forEachMessage(this.#connection, options, (message) => this.#take(message)),
        failed,
      ])
      this.#questions.end(this.#whyOver())
      await this.#finishAnswers()
      void this.#connection.close(this.#whyOver())
    } catch (error) {
      this.#questions.end(error as Error)
      void this.#connection.close(error as Error)
      throw error
    }
  }

  /**
   * Waits for the answers that are being made. That they cannot be sent any more is no loss: the peer has left.
   *
   * @throws what a mistake in making one throws
   */
  async #finishAnswers(): Promise<void> {
    for (const result of await Promise.allSettled(this.#inWork))
      if (result.status === 'rejected' && !(result.reason instanceof OperationalError)) throw result.reason
  }

  /** Why there will be no more answers, when the connection has ended as it should. */
  #whyOver(): Error {
    try {
      this.#connection.throwIfLost()
      return new OperationalError(`Lost the connection to ${this.#connection.peer}: the other end closed it.`)
    } catch (error) {
      return error as Error
    }
  }

  #take(message: PossibleAnswer): void | Promise<void> {
    const { type, payload } = message
    if (type === QUESTION) return this.#isFinishing ? undefined : this.#answer(message)
    const { handlers = {}, unknown } = this.#options
    // hasOwn: "constructor" and "__proto__" are types that nobody handles, not parts of the table.
    const handler = Object.hasOwn(handlers, type) ? handlers[type] : undefined
    if (this.#questions.take(message, handler !== undefined)) return
    if (this.#isFinishing)
      return this.#takeLast(handler ?? ((payload) => unknown(type, payload, this.#connection)), payload)
    return handler ? handler(payload, this.#connection) : unknown(type, payload, this.#connection)
  }

  /** After the last word, a handler that says something to the peer fails. That is no reason to take no more of what comes. */
  async #takeLast(handler: Handlers[string], payload: unknown): Promise<void> {
    try {
      await handler(payload, this.#connection)
    } catch (error) {
      if (!(error instanceof OperationalError) || this.#connection.socket.writable) throw error
    }
  }

  /** Begins to answer a question. What comes after it is read meanwhile, unless much is in work. */
  #answer({ payload, id, about }: PossibleAnswer): Promise<void> | undefined {
    const repeated = typeof id === 'number' || typeof id === 'string' ? id : undefined
    const before = repeated === undefined ? this.#answeredInOrder : undefined
    const answered = this.#makeAnswer({ question: payload, about }, repeated, before)
    this.#inWork.add(answered)
    const done = () => {
      this.#inWork.delete(answered)
      this.#workIsLess()
    }
    answered.then(done, (error) => {
      done()
      this.#fail(error)
    })
    if (repeated === undefined) this.#answeredInOrder = answered
    if (this.#inWork.size < MAX_ANSWERS_IN_WORK) return undefined
    return new Promise((resolve) => {
      this.#workIsLess = resolve
    })
  }

  async #makeAnswer(
    { question, about }: { question: unknown; about: unknown },
    id: number | string | undefined,
    before: Promise<void> | undefined,
  ): Promise<void> {
    const { answers = {}, unknown } = this.#options
    const make =
      typeof question === 'string' && Object.hasOwn(answers, question) ? answers[question] : undefined
    if (!make) await unknown(QUESTION, question, this.#connection)
    const answer = (await make?.(this.#connection, about)) ?? { type: REFUSAL, payload: 'unknown' }
    await before
    await this.#send(answer, id)
  }

  /** Sends a message with an id. What not every node knows stands behind what all do, so that none has to look past it. */
  async #send({ type, payload }: Answer, id: number | string | undefined, about?: unknown): Promise<void> {
    if (payload === undefined)
      throw new TypeError(`An answer must have a payload, and this ${type} has none.`)
    const rest = `${pair('about', about)}${pair('id', id)}`
    await sendJson(this.#connection, `${beginningOf(type)}${asciiJson(payload)}${rest}}`, this.#options)
  }
}

/** A further key of a message, if there is something under it. */
function pair(key: string, value: unknown): string {
  return value === undefined ? '' : `,"${key}":${asciiJson(value)}`
}
