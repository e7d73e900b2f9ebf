/**
 * The questions to one peer that have no answer yet, and which answer is whose. A peer that repeats the id of a
 * question with its answer makes that easy. For one that does not, there are the order and the type; these cannot tell
 * a late answer from a wrong one, so after the first that does not fit no more can be assigned.
 *
 * @since 0.7.0
 */
import { OperationalError } from './lifecycle.ts'
import { textOf } from './messages.ts'

/**
 * How many questions to one peer may be open at once. Each waits for some time, and a program that asks faster than
 * its peer answers should hear of it before its memory is full.
 */
const MAX_OPEN_QUESTIONS = 64

/**
 * The type of an answer that is none: the peer does not know the question.
 *
 * @internal
 */
export const REFUSAL = 'bad_message'

/** How much is shown of what a wrong answer says, in characters. */
const SHOWN = 300

/** The peer has answered that it will not answer. The question was understood as far as its envelope, and nothing is lost. */
export class Refusal extends OperationalError {
  override readonly name = 'Refusal'
}

/**
 * A message that may be an answer.
 *
 * @internal
 */
export interface PossibleAnswer {
  type: string
  payload: unknown
  /** What it repeats of its question. */
  id?: unknown
  /** What a question is about. */
  about?: unknown
}

interface Question {
  text: string
  /** The types that its answer may have. */
  answers: readonly string[]
  resolve: (payload: unknown) => void
  reject: (error: Error) => void
}

/**
 * What is open between this program and one peer.
 *
 * @internal
 */
export class OpenQuestions {
  readonly #connection: { readonly peer: string }
  /** In the order in which they were asked. */
  readonly #open = new Map<number, Question>()
  /** Of what was ever asked. */
  readonly #answerTypes = new Set<string>()
  #lastId = 0
  #over: Error | undefined
  #repeatsIds = false

  /** @param connection whose `peer` is how texts call the other end: `the master at 127.0.0.1:31415` */
  constructor(connection: { readonly peer: string }) {
    this.#connection = connection
  }

  /**
   * Whether the peer has ever repeated an id. As long as it has not, nobody can say which question the next answer
   * belongs to once one was given up.
   */
  get repeatsIds(): boolean {
    return this.#repeatsIds
  }

  /**
   * Opens a question.
   *
   * @param text what is asked
   * @param answer the type that its answer has, or several that it may have
   * @throws OperationalError when too many are open
   * @throws the error of {@link end}, after it
   */
  open(text: string, answer: string | readonly string[]): { id: number; answered: Promise<unknown> } {
    if (this.#over) throw this.#over
    if (this.#open.size >= MAX_OPEN_QUESTIONS)
      throw new OperationalError(
        `${MAX_OPEN_QUESTIONS} questions to ${this.#connection.peer} have no answer yet. Wait for one before asking "${text}".`,
      )
    this.#lastId += 1
    const id = this.#lastId
    const answers = typeof answer === 'string' ? [answer] : answer
    for (const type of [...answers, REFUSAL]) this.#answerTypes.add(type)
    const answered = new Promise<unknown>((resolve, reject) => {
      this.#open.set(id, { text, answers, resolve, reject })
    })
    return { id, answered }
  }

  /** Gives a question up: whoever waits for its answer gets this error. */
  giveUp(id: number, error: Error): void {
    this.#open.get(id)?.reject(error)
    this.#open.delete(id)
  }

  /** Gives all of them up, and any that is still to be asked: nobody reads answers any more. */
  end(error: Error): void {
    this.#over = error
    for (const id of [...this.#open.keys()]) this.giveUp(id, error)
  }

  /**
   * Gives an answer to who waits for it.
   *
   * @param hasHandler whether it would be a message in its own right, too
   * @returns whether it was an answer. (A late one, or a second one, goes to nobody: its asker has been told.)
   * @throws OperationalError when nobody can say any more which answer is whose
   */
  take(message: PossibleAnswer, hasHandler: boolean): boolean {
    if (typeof message.id === 'number') return this.#takeById(message.id, message)
    return !this.#repeatsIds && this.#takeByOrder(message, hasHandler)
  }

  #takeById(id: number, message: PossibleAnswer): boolean {
    if (!(Number.isInteger(id) && id >= 1 && id <= this.#lastId)) return false
    this.#repeatsIds = true
    const question = this.#open.get(id)
    if (question && !this.#settle(id, question, message)) this.giveUp(id, this.#wrongType(question, message))
    return true
  }

  #takeByOrder(message: PossibleAnswer, hasHandler: boolean): boolean {
    const [first] = this.#open
    if (first && this.#settle(...first, message)) return true
    if (hasHandler) return false
    if (first) throw this.#wrongType(first[1], message)
    if (!this.#answerTypes.has(message.type)) return false
    throw new OperationalError(
      `An answer from ${this.#connection.peer} belongs to no question: ${message.type}, with ${textOf(message.payload)}.`,
    )
  }

  /** @returns whether the type of the answer was one for this question */
  #settle(id: number, { text, answers, resolve }: Question, { type, payload }: PossibleAnswer): boolean {
    if (answers.includes(type)) resolve(payload)
    else if (type === REFUSAL)
      this.giveUp(
        id,
        new Refusal(`The question "${text}" is refused by ${this.#connection.peer}: ${textOf(payload)}.`),
      )
    else return false
    this.#open.delete(id)
    return true
  }

  #wrongType({ text, answers }: Question, { type, payload }: PossibleAnswer): OperationalError {
    const why = typeof payload === 'string' ? ` It says ${JSON.stringify(payload.slice(0, SHOWN))}` : '' // as who refuses all
    return new OperationalError(
      `The question "${text}" has a wrong answer from ${this.#connection.peer}: one of the type ${type}, where ${answers.join(' or ')} is expected.${why}`,
    )
  }
}
