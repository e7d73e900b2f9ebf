/**
 * The words for what can be done to a cluster, as they are typed and as a scenario has them: `kill node 2` in a chapter
 * whose programs are called so.
 */
import { closest, distance } from 'fastest-levenshtein'
import ms, { type StringValue } from 'ms'
import { ReaderError } from '../workspace/reader-error.ts'
import type { LabAction, Lane } from './events.ts'

/** Who can be named. */
export interface Named {
  lanes: readonly Lane[]
  /** What several of a program are called, by the program's name. */
  plurals: ReadonlyMap<string, string>
  /** What can be run besides: the chapter's commands. */
  commands: readonly string[]
  /** Where `any` finds one. */
  random: () => number
}

interface Word {
  /** How it is used, for the help. `NODE` stands for a node's name. */
  usage: string
  does: string
  actions(rest: string, named: Named): LabAction[]
}

const simple = (
  word: 'kill' | 'stop' | 'continue' | 'restart' | 'cut',
  usage: string,
  does: string,
): Word => ({
  usage,
  does,
  actions: (rest, named) => lanesOf(word, rest, named).map((lane) => ({ do: word, lane })),
})

const WORDS: Record<string, Word> = {
  kill: simple('kill', 'kill NODE', 'ends its process at once, as a power cut does (SIGKILL)'),
  stop: simple('stop', 'stop NODE', 'it hangs: nothing in it goes on (SIGSTOP)'),
  continue: simple('continue', 'continue NODE', 'it goes on (SIGCONT)'),
  restart: simple(
    'restart',
    'restart NODE',
    'ends its process in order, if there is one, and starts it again',
  ),
  run: {
    usage: 'run COMMAND',
    does: 'starts a command of the chapter, with the arguments behind its name; it ends by itself',
    actions(rest, named) {
      const [, lane = '', args = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? []
      return [{ do: 'run', lane: commandNamed('run', lane, named), args }]
    },
  },
  skew: {
    usage: 'skew NODE -1h',
    does: 'its clock is wrong by so much; 0s: it is right',
    actions(rest, named) {
      const [who, time] = lastWord('skew', rest)
      return lanesOf('skew', who, named).map((lane) => ({ do: 'skew', lane, seconds: msOf(time) / 1000 }))
    },
  },
  cut: simple('cut', 'cut NODE', 'resets its connections, and each that it tries to make'),
  'black-hole': {
    usage: 'black-hole NODE [in|out]',
    does: 'nothing arrives, and nobody is told; in: nothing to the node, out: nothing from it',
    actions(rest, named) {
      const [, who = rest, way] = /^(.*?)\s+(in|out)$/.exec(rest) ?? []
      const direction = way === 'in' ? 'toClient' : way === 'out' ? 'toServer' : 'both'
      return lanesOf('black-hole', who, named).map((lane) => ({ do: 'black-hole', lane, direction }))
    },
  },
  delay: {
    usage: 'delay NODE 200ms [jitter 50ms]',
    does: 'each byte arrives so much later, in both directions',
    actions(rest, named) {
      const [, before = rest, jitter] = /^(.*?)\s+jitter\s+(\S+)$/.exec(rest) ?? []
      const [who, time] = lastWord('delay', before)
      const delayMs = notNegative('delay', msOf(time))
      const jitterMs = jitter === undefined ? undefined : notNegative('jitter', msOf(jitter))
      return lanesOf('delay', who, named).map((lane) => ({
        do: 'delay',
        lane,
        delayMs,
        ...(jitterMs !== undefined && { jitterMs }),
      }))
    },
  },
  trickle: {
    usage: 'trickle NODE 100',
    does: 'so many bytes a second arrive, in each direction',
    actions(rest, named) {
      const [who, number] = lastWord('trickle', rest)
      if (!/^[1-9]\d*$/.test(number))
        throw new ReaderError(
          `trickle takes a whole number of bytes a second, 1 or more, and not "${number}".`,
        )
      return lanesOf('trickle', who, named).map((lane) => ({
        do: 'trickle',
        lane,
        bytesPerSecond: Number(number),
      }))
    },
  },
  partition: {
    usage: 'partition NODE, NODE | NODE',
    does: 'each reaches only those of its own group; who is named in none reaches everybody',
    actions(rest, named) {
      const groups = rest.split('|').map((group) => lanesOf('partition', group.trim(), named))
      if (groups.length < 2)
        throw new ReaderError(
          `partition takes two groups or more, with a | between them: ${usageOf('partition', named)}`,
        )
      return [{ do: 'partition', groups }]
    },
  },
  heal: {
    usage: 'heal [NODE]',
    does: 'its link is as it was, and what was held arrives; without a name: all links',
    actions: (rest, named) =>
      rest === '' ? [{ do: 'heal-all' }] : lanesOf('heal', rest, named).map((lane) => ({ do: 'heal', lane })),
  },
}

/**
 * What a line of words means.
 *
 * @throws ReaderError when it means nothing here: which word, and what there is
 */
export function actionsOf(text: string, named: Named): LabAction[] {
  const [, word = '', rest = ''] = /^(\S*)\s*(.*)$/s.exec(text.trim()) ?? []
  const known = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined
  if (!known) {
    const words = Object.keys(WORDS)
    throw new ReaderError(
      `There is no "${word}" here. Did you mean ${closest(word, words)}? There are: ${words.join(', ')}.`,
    )
  }
  return known.actions(rest, named)
}

/** An action in the words that it was, or could have been, typed in. */
export function told(action: LabAction): string {
  switch (action.do) {
    case 'heal-all':
      return 'heal'
    case 'skew':
      return `skew ${action.lane} ${action.seconds}s`
    case 'black-hole': {
      const way = { toClient: ' in', toServer: ' out', both: '' }[action.direction]
      return `black-hole ${action.lane}${way}`
    }
    case 'run':
      return `run ${action.lane} ${action.args}`.trim()
    case 'delay':
      return `delay ${action.lane} ${action.delayMs}ms${action.jitterMs ? ` jitter ${action.jitterMs}ms` : ''}`
    case 'trickle':
      return `trickle ${action.lane} ${action.bytesPerSecond}`
    case 'partition':
      return `partition ${action.groups.map((group) => group.join(', ')).join(' | ')}`
    default:
      return `${action.do} ${action.lane}`
  }
}

/** What can be typed, a line each. */
export function helpFor(named: Named): string[] {
  const usages = Object.keys(WORDS).map((word) => usageOf(word, named))
  const width = Math.max(...usages.map(({ length }) => length))
  return [
    ...Object.values(WORDS).map(({ does }, index) => `${usages[index]?.padEnd(width)}  ${does}`),
    ...(named.commands.length > 0
      ? [
          `A command is one of: ${named.commands.join(', ')}. While it runs, a node's words are for it as well.`,
        ]
      : []),
    `A node is one of: ${named.lanes.map(({ name }) => name).join(', ')}. Several have a comma between them; ${[...named.plurals.values(), 'all'].join(' and ')} are all of them, and "any" before such a word is one of them by chance.`,
  ]
}

/** What can follow what is typed so far, for the Tab key: whole lines. */
export function completionsOf(text: string, { lanes, plurals, commands }: Named): string[] {
  const [, begun = '', last = ''] = /^(\S+\s+(?:.*[,|]\s*)?)(.*)$/.exec(text) ?? []
  if (begun === '') return ['help', ...Object.keys(WORDS)].filter((word) => word.startsWith(text))
  const names = begun.startsWith('run ')
    ? commands
    : [...lanes.map(({ name }) => name), ...plurals.values(), 'all', ...commands]
  return names.filter((name) => name.startsWith(last)).map((name) => `${begun}${name}`)
}

/**
 * The nodes that a text names: `node 1`, several with commas, all of a kind, `all`, or `any` of these.
 *
 * @param word who asks, for what is told when there is no such node
 * @throws ReaderError
 */
export function lanesOf(word: string, text: string, named: Named): string[] {
  if (text === '') throw new ReaderError(`${word} takes the name of a node: ${usageOf(word, named)}`)
  return text.split(',').flatMap((part) => lanesNamed(part.trim().replace(/\s+/g, ' '), named))
}

function lanesNamed(name: string, named: Named): string[] {
  const { lanes, plurals, commands, random } = named
  if (name.startsWith('any ')) {
    const among = lanesNamed(name.slice(4).trim(), named)
    return [among[Math.floor(random() * among.length)] ?? '']
  }
  if (lanes.some((lane) => lane.name === name) || commands.includes(name)) return [name]
  if (name === 'all') return lanes.map((lane) => lane.name)
  const program = [...plurals].find(([, plural]) => plural === name)?.[0]
  // Of one that was not given a number, there is one only.
  const ofKind = lanes.filter((lane) => lane.program === (program ?? name)).map((lane) => lane.name)
  if (program !== undefined || ofKind.length === 1) return ofKind
  const names = [...lanes.map((lane) => lane.name), ...plurals.values(), 'all', ...commands]
  const near = closest(name, names)
  const hint = distance(name, near) <= Math.max(2, name.length / 2) ? ` Did you mean ${near}?` : ''
  throw new ReaderError(`There is no node "${name}" here.${hint} There are: ${names.join(', ')}.`)
}

/**
 * The command that a text names.
 *
 * @param word who asks
 * @throws ReaderError when it is none: what there is
 */
export function commandNamed(word: string, name: string, { lanes, commands }: Named): string {
  if (commands.includes(name)) return name
  if (commands.length === 0)
    throw new ReaderError(`${word} takes a command of the chapter, and this chapter has none.`)
  const there = `There are: ${commands.join(', ')}.`
  if (name === '') throw new ReaderError(`${word} takes a command of the chapter. ${there}`)
  if (lanes.some((lane) => lane.name === name || lane.program === name))
    throw new ReaderError(`${name} is a node of the cluster, and no command. ${there}`)
  throw new ReaderError(
    `There is no command "${name}" here. Did you mean ${closest(name, commands)}? ${there}`,
  )
}

/**
 * A time with its unit, in ms.
 *
 * @throws ReaderError when it is none
 */
export function msOf(text: string): number {
  const time = ms(text as StringValue)
  if (!/[a-z]$/.test(text) || !Number.isFinite(time))
    throw new ReaderError(
      `"${text}" is no time: it takes a number with its unit, such as 200ms, 20s, 2m or 1h.`,
    )
  return time
}

function notNegative(word: string, time: number): number {
  if (time < 0) throw new ReaderError(`${word} takes a time from 0ms on: nothing arrives before it was sent.`)
  return time
}

/** A text, and the word at its end. */
function lastWord(word: string, text: string): [before: string, last: string] {
  const [, before, last] = /^(.+)\s+(\S+)$/.exec(text) ?? []
  if (before === undefined || last === undefined)
    throw new ReaderError(
      `${word} takes a node and a value: ${WORDS[word]?.usage.replaceAll('NODE', 'node')}`,
    )
  return [before, last]
}

/** How a word is used, with nodes of this cluster in it: the last ones, which are those that connect. */
function usageOf(word: string, { lanes, commands }: Named): string {
  const connecting = lanes.filter(({ connectsTo }) => connectsTo !== undefined).map(({ name }) => name)
  const peer = lanes.find(({ connectsTo }) => connectsTo === undefined)?.name
  const [one, two, three] = connecting
  const parted = peer === undefined ? [one, two, three] : [one, peer, two ?? one]
  const names = word === 'partition' ? parted : connecting
  let next = 0
  return (WORDS[word]?.usage ?? word)
    .replace('COMMAND', commands[0] ?? 'COMMAND')
    .replace(/NODE/g, () => names[next++] ?? names[0] ?? 'NODE')
}
