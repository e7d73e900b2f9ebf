/**
 * What a scenario promises, in words, held against what happened:
 *
 *     all back within 30s                        who runs, is connected, and has said and heard something since the last step
 *     at most 3 connections within 1s            from the last step on, over all links
 *     COMMAND ends well within 30s               each time that it was run: with exit code 0, so soon after it was started
 *     log of NODE has TEXT                       a line of it; /TEXT/ is a regular expression
 *     log of NODE never has TEXT
 *     messages of NODE have TEXT                 what it sends, message by message
 *     afterwards, log of NODE has TEXT           from the last step on
 *
 * A command that a step runs may stand in a node's place.
 */
import { ReaderError } from '../workspace/reader-error.ts'
import { ENDED_WELL, type LabEvent, type Lane } from './events.ts'
import { commandNamed, lanesOf, msOf, type Named } from './words.ts'

/** What has happened so far. */
export interface Seen {
  /** In the order of time. */
  events: readonly LabEvent[]
  lanes: readonly Lane[]
  /** When the last step was done; nothing before. */
  lastStepAt: number | undefined
  now: number
}

/** Whether a promise is kept: for good, not yet, or no more. */
export interface Verdict {
  is: 'kept' | 'open' | 'broken'
  /** What can be said of it, in words. Of `open`: what is missing, if that is all that came. */
  why: string
}

export interface Promised {
  text: string
  /** Whom it names, nodes and commands. */
  of: readonly string[]
  /** Whether it holds until the end, so that only the end decides. */
  isLasting: boolean
  verdict(seen: Seen): Verdict
}

const FORMS = [
  'all back within 30s',
  'at most 3 connections within 1s',
  'COMMAND ends well within 30s',
  'log of NODE has TEXT',
  'log of NODE never has TEXT',
  'messages of NODE have TEXT',
  'afterwards, log of NODE has TEXT',
]

/**
 * What a promise means.
 *
 * @throws ReaderError when it means nothing: what there is
 */
export function promiseOf(text: string, named: Named): Promised {
  const back = /^(.+) back within (\S+)$/.exec(text)
  if (back) return allBack(text, lanesOf('back', back[1] ?? '', named), msOf(back[2] ?? '') / 1000)
  const most = /^at most (\d+) connections? within (\S+)$/.exec(text)
  if (most) return atMost(text, Number(most[1]), msOf(most[2] ?? '') / 1000)
  const ends = /^(.+) ends well within (\S+)$/.exec(text)
  if (ends) return endsWell(text, commandNamed('ends well', ends[1] ?? '', named), msOf(ends[2] ?? '') / 1000)
  const said = /^(afterwards, )?(log|messages) of (.+?) (never )?ha(?:s|ve) (.+)$/.exec(text)
  if (said) {
    const [, after, what, who = '', never, words = ''] = said
    const sought = {
      lanes: lanesOf('of', who, named),
      isLog: what === 'log',
      isAfter: after !== undefined,
      isNever: never !== undefined,
      pattern: patternOf(words),
    }
    return {
      text,
      of: sought.lanes,
      isLasting: never !== undefined,
      verdict: (seen) => saidBy(seen, sought),
    }
  }
  throw new ReaderError(`"${text}" is no promise that can be checked. There are:\n  ${FORMS.join('\n  ')}`)
}

/** `/TEXT/` is a regular expression, and everything else stands for itself. */
function patternOf(text: string): RegExp {
  const [, source, flags] = /^\/(.+)\/([iu]*)$/.exec(text) ?? []
  if (source === undefined) return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  try {
    return new RegExp(source, flags)
  } catch (error) {
    throw new ReaderError(`${text} is no regular expression: ${(error as Error).message}.`)
  }
}

interface Sought {
  lanes: readonly string[]
  isLog: boolean
  isAfter: boolean
  isNever: boolean
  pattern: RegExp
}

function saidBy({ events, lastStepAt }: Seen, { lanes, isLog, isAfter, isNever, pattern }: Sought): Verdict {
  const missing = new Set(lanes)
  for (const event of events) {
    if (isAfter && (lastStepAt === undefined || event.at < lastStepAt)) continue
    const [who, text] =
      isLog && event.type === 'line'
        ? [event.lane, event.text]
        : !isLog && event.type === 'bytes'
          ? [event.from, event.text ?? '']
          : []
    if (who === undefined || text === undefined || !missing.has(who) || !pattern.test(text)) continue
    const found = `${who} at ${event.at.toFixed(1)} s: ${text.trim()}`
    if (isNever) return { is: 'broken', why: found }
    missing.delete(who)
    if (missing.size === 0) return { is: 'kept', why: found }
  }
  if (isNever) return { is: 'open', why: 'nothing of it came' }
  return { is: 'open', why: `it did not come from ${[...missing].join(', ')}` }
}

function endsWell(text: string, command: string, within: number): Promised {
  return {
    text,
    of: [command],
    isLasting: false,
    verdict({ events, lastStepAt, now }) {
      let startedAt: number | undefined
      let took: number | undefined
      for (const event of events) {
        if (event.type !== 'state' || event.lane !== command) continue
        if (event.state === 'started') startedAt = event.at
        if (event.state !== 'ended') continue
        took = event.at - (startedAt ?? event.at)
        startedAt = undefined
        const is = `ended ${event.how} after ${took.toFixed(1)} s`
        if (event.how !== ENDED_WELL || took > within) return { is: 'broken', why: is }
      }
      if (startedAt !== undefined)
        return { is: now - startedAt > within ? 'broken' : 'open', why: 'it runs still' }
      if (took === undefined) return { is: 'open', why: 'it has not run' }
      // Another step may run it again.
      return { is: lastStepAt === undefined ? 'open' : 'kept', why: `after ${took.toFixed(1)} s` }
    },
  }
}

function atMost(text: string, most: number, within: number): Promised {
  return {
    text,
    of: [],
    isLasting: true,
    verdict({ events, lastStepAt }) {
      const times = events.flatMap(({ type, at }) =>
        type === 'opened' && lastStepAt !== undefined && at >= lastStepAt ? [at] : [],
      )
      let greatest = 0
      let from = 0
      times.forEach((at, index) => {
        while (at - (times[from] ?? 0) > within) from += 1
        greatest = Math.max(greatest, index - from + 1)
      })
      return { is: greatest > most ? 'broken' : 'open', why: `${greatest} came within ${within} s` }
    },
  }
}

function allBack(text: string, names: readonly string[], within: number): Promised {
  return {
    text,
    of: names,
    isLasting: false,
    verdict(seen) {
      if (seen.lastStepAt === undefined) return { is: 'open', why: 'the last step was not done' }
      const until = seen.lastStepAt + within
      const presence = new Presence(seen.lanes, names, seen.lastStepAt)
      for (const event of seen.events) {
        if (event.at > until) break
        presence.take(event)
        if (event.at >= seen.lastStepAt && presence.away.length === 0)
          return { is: 'kept', why: `after ${(event.at - seen.lastStepAt).toFixed(1)} s` }
      }
      const why = `not back: ${presence.away.join(', ')}`
      return { is: seen.now > until ? 'broken' : 'open', why }
    },
  }
}

/** Who is there, as far as can be seen from outside. */
class Presence {
  readonly #names: readonly string[]
  readonly #since: number
  readonly #connecting: ReadonlySet<string>
  /** Which of them are of a kind that connects to itself, by their names: what that kind is. */
  readonly #kinds: ReadonlyMap<string, string>
  readonly #running = new Set<string>()
  /** The connections that nobody has ended, and who has said something on each since then. */
  readonly #open = new Map<number, { lanes: string[]; heard: Set<string> }>()

  constructor(lanes: readonly Lane[], names: readonly string[], since: number) {
    this.#names = names
    this.#since = since
    this.#connecting = new Set(
      lanes.filter(({ connectsTo }) => connectsTo !== undefined).map(({ name }) => name),
    )
    this.#kinds = new Map(
      lanes
        .filter(({ program, connectsTo }) => connectsTo === program)
        .map(({ name, program }) => [name, program]),
    )
  }

  take(event: LabEvent): void {
    if (event.type === 'state') {
      if (event.state === 'started' || event.state === 'continued') this.#running.add(event.lane)
      if (event.state === 'ended' || event.state === 'stopped') this.#running.delete(event.lane)
    } else if (event.type === 'opened') this.#open.set(event.connection, this.#opened(event))
    else if (event.type === 'ended') this.#open.delete(event.connection)
    else if (event.type === 'bytes' && event.at >= this.#since)
      this.#open.get(event.connection)?.heard.add(event.from)
  }

  /** Of two of a kind, it may be the other one that connects. */
  #opened({ from, to }: { from: string; to: string }): { lanes: string[]; heard: Set<string> } {
    const kind = this.#kinds.get(from)
    const areAlike = kind !== undefined && kind === this.#kinds.get(to)
    return { lanes: areAlike ? [from, to] : [from], heard: new Set() }
  }

  get away(): string[] {
    const talking = new Set(
      [...this.#open.values()].flatMap(({ lanes, heard }) => (heard.size > 1 ? lanes : [])),
    )
    return this.#names.filter(
      (name) => !this.#running.has(name) || (this.#connecting.has(name) && !talking.has(name)),
    )
  }
}
