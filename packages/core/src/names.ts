/**
 * Other names for what is on the wire and in configurations, without a day on which all has to change: what comes under a
 * former name is understood, and who knows only former names is answered by them.
 *
 * @since 0.16.0
 */
import type * as v from 'valibot'
import { type Config, type ConfigShape, configFile, configFrom } from './config.ts'
import type { ConfigLines, Section } from './config-lines.ts'
import type { Connection } from './connection.ts'
import type { Answers, AskOptions } from './dialogue.ts'
import { Refusal } from './dialogue.ts'
import type { Logger } from './logging.ts'
import type { Handlers } from './messages.ts'

/** Who asks, as a ConnectingNode does. */
interface Asker {
  ask(question: string, options: AskOptions): Promise<unknown>
  /** Of whom it asks, if that changes: another one is another peer. */
  readonly over?: AbortSignal
}

/**
 * What was called otherwise before: types of messages, and questions. A peer that says that it knows the new names, or uses
 * one, hears them; any other one hears the former ones, since who does not know a name cannot ask what it means.
 */
export class Names {
  /** What a node tells with its details, so that it is called by the new names: `{ names: 'new' }`. */
  readonly mark: Readonly<{ names: string }>

  /** By the new name: the former one. */
  readonly #former: ReadonlyMap<string, string>
  readonly #knowing = new WeakSet<Connection>()
  /** By the connection of who asks, and by the new name of a question: the name under which it was answered. */
  readonly #answered = new WeakMap<object, Map<string, string>>()

  /**
   * @param set what the new names are called together
   * @param former by each former name the new one: `{ old_info: 'new_info' }`
   */
  constructor(set: string, former: Readonly<Record<string, string>>) {
    this.mark = { names: set }
    this.#former = new Map(Object.entries(former).map(([former, now]) => [now, former]))
  }

  /** Takes what a peer tells of itself: with the {@link mark} in it, it knows the new names. */
  introduce(peer: Connection, details: unknown): void {
    if ((details as { names?: unknown } | null)?.names === this.mark.names) this.#knowing.add(peer)
  }

  /**
   * What to call something to a peer. In place of a peer stands who asks it, as a node that connects: by the new name then,
   * if a question of that name was answered ({@link ask}) in this connection.
   */
  to(peer: Connection | Asker, name: string): string {
    const isKnown = 'ask' in peer ? this.#answeredBy(peer).get(name) === name : this.#knowing.has(peer)
    return isKnown ? name : (this.#former.get(name) ?? name)
  }

  /** A name, and the former one if there is one: for what may come under either. */
  either(name: string): string[] {
    const former = this.#former.get(name)
    return former === undefined ? [name] : [name, former]
  }

  /** The same handlers, for what comes under former names, too. Who uses a new name knows them. */
  handlers(handlers: Handlers): Handlers {
    const all: Handlers = { ...handlers }
    for (const [type, handler] of Object.entries(handlers)) {
      const former = this.#former.get(type)
      if (former === undefined) continue
      all[former] ??= handler
      all[type] = (payload, peer) => {
        this.#knowing.add(peer)
        return handler(payload, peer)
      }
    }
    return all
  }

  /**
   * The same answers, to questions under former names, too. An answer has the name that the asker knows: to a question by its
   * former name the former one.
   */
  answers(answers: Answers): Answers {
    const all: Answers = {}
    for (const [question, answer] of Object.entries(answers)) {
      const former = this.#former.get(question)
      const answered: Answers[string] = async (peer, about) => {
        const made = await answer(peer, about)
        return made && { type: this.to(peer, made.type), payload: made.payload }
      }
      all[question] = (peer, about) => {
        if (former !== undefined) this.#knowing.add(peer)
        return answered(peer, about)
      }
      if (former !== undefined) all[former] ??= answered
    }
    return all
  }

  /**
   * Asks a peer something whose name has changed: by the new name, and when that is refused by the former one; from then on,
   * in this connection, by the former one at once. The answer may have either name.
   *
   * @param options how it is asked; `about` and all else goes along
   * @returns the payload of the answer
   * @throws Refusal when both are refused, and what `ask` throws
   */
  async ask(asker: Asker, question: string, { answer, ...options }: AskOptions): Promise<unknown> {
    const former = this.#former.get(question)
    const askBy = (name: string) =>
      asker.ask(name, { answer: typeof answer === 'string' ? this.either(answer) : answer, ...options })
    if (former === undefined) return await askBy(question)
    const answered = this.#answeredBy(asker)
    if (answered.get(question) !== former) {
      try {
        const payload = await askBy(question)
        answered.set(question, question)
        return payload
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
      }
    }
    const payload = await askBy(former)
    answered.set(question, former)
    return payload
  }

  /**
   * Learns what to call something to a peer, by asking it: as {@link ask} does, for the name under which the answer came.
   *
   * @returns the question's name, or its former one
   * @throws what {@link ask} throws
   */
  async learn(asker: Asker, question: string, options: AskOptions): Promise<string> {
    await this.ask(asker, question, options)
    return this.to(asker, question)
  }

  #answeredBy(asker: Asker): Map<string, string> {
    const connection = asker.over ?? asker
    const answered = this.#answered.get(connection) ?? new Map()
    this.#answered.set(connection, answered)
    return answered
  }
}

/** What a program reads, and what that was called before. */
export interface RenamedShape<Keys extends Record<string, v.GenericSchema<string, unknown>>>
  extends ConfigShape<Keys> {
  /** What the section was called. */
  formerSection?: string
  /** What keys of it were called: by the new name the former one. */
  formerKeys?: Readonly<Partial<Record<keyof Keys, string>>>
}

/**
 * Reads a configuration as `loadConfig` does, and takes former names, too: each is a warning with its line, and with what to
 * write now. Where the new name stands in the file, the former one is somebody else's, and no warning: one file may serve
 * nodes of both kinds.
 *
 * @throws what `loadConfig` throws
 */
export function loadRenamedConfig<Keys extends Record<string, v.GenericSchema<string, unknown>>>(
  shape: RenamedShape<Keys>,
  log: Logger,
): Config<Keys> {
  const { path, lines } = configFile()
  const warn = (line: number | undefined, text: string) => log.warn(`${path}:${line ?? 1} ${text}`)
  const sections = new Map(lines.sections)
  renameSection(lines, sections, shape, warn)
  const section = sections.get(shape.section)
  if (section) sections.set(shape.section, renameKeys(section, shape, warn))
  return configFrom({ path, lines: { ...lines, sections } }, shape, log)
}

type Warn = (line: number | undefined, text: string) => void

function renameSection(
  lines: ConfigLines,
  sections: Map<string, Section>,
  { section, formerSection }: RenamedShape<Record<string, v.GenericSchema<string, unknown>>>,
  warn: Warn,
): void {
  const former = formerSection === undefined ? undefined : sections.get(formerSection)
  if (former === undefined || formerSection === undefined || sections.has(section)) return
  warn(
    lines.sectionLines.get(formerSection),
    `[${formerSection}] is called [${section}] now. It is read as before; write [${section}].`,
  )
  sections.delete(formerSection)
  sections.set(section, new Map([...former].map(([key, entry]) => [key, { ...entry, section }])))
}

function renameKeys(
  section: Section,
  { section: name, formerKeys = {} }: RenamedShape<Record<string, v.GenericSchema<string, unknown>>>,
  warn: Warn,
): Section {
  const renamed = new Map(section)
  for (const [key, former] of Object.entries(formerKeys)) {
    const entry = former === undefined ? undefined : renamed.get(former)
    if (former === undefined || !entry) continue
    renamed.delete(former)
    if (renamed.has(key)) continue
    warn(entry.line, `[${name}] ${former} is called ${key} now. It is read as before; write ${key}.`)
    renamed.set(key, { ...entry, key })
  }
  return renamed
}
