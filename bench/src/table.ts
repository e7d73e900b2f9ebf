import { markdownTable } from 'markdown-table'
import {
  type Comparison,
  compare,
  type Goal,
  type Measurement,
  type Sample,
  type Unit,
} from './measurement.ts'

const HEAD = ['What', 'Ours', 'Against', 'Theirs', 'Ratio', 'Goal', 'Met']

/** What those that take part are called in the table. */
const NAMES: Record<string, string> = {
  python: "the original's way, Python",
  pythonFed: '... fed by our sender',
  split2: 'split2, a write a message',
  ws: 'ws',
  zeromq: 'zeromq PUSH/PULL',
  nats: 'NATS, with its Node client',
  parse: 'JSON.parse alone',
  stringify: 'JSON.stringify alone',
  threads: 'a thread a slave, Python',
  fixed: "the original's 60 s",
  jitter: 'full jitter, up to 60 s',
  alone: 'without them',
  loop: 'a loop of send',
  withoutIt: 'without it',
  one: 'one page',
  'many webserver memory': 'all read',
  'one news': 'one page, which reads',
  'stall steady': 'nobody comes',
  appended: 'a file, appended to and synchronised',
  idleDelay: 'when idle',
  commit: 'a commit alone',
  bullmq: 'BullMQ on Redis',
  pool: 'a pool alone, without a network',
  parts: 'two round trips and a call of the pool',
  'picture on four': 'on four',
  oneAtOnce: 'one at a time',
  put: 'a put of etcd',
  syncAndTrip: 'a synchronisation and a round trip',
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 })
const digits = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })

const FORMATS: Record<Unit, (figure: number) => string> = {
  'values a second': (figure) => `${compact.format(figure)}/s`,
  'tasks a second': (figure) => `${compact.format(figure)}/s`,
  'messages a second': (figure) => `${compact.format(figure)}/s`,
  microseconds: (figure) => `${digits.format(figure)} µs`,
  'nanoseconds a byte': (figure) => `${digits.format(figure)} ns/B`,
  bytes: (figure) => `${digits.format(figure)} B`,
  KiB: (figure) => `${digits.format(figure)} KiB`,
  MB: (figure) => `${digits.format(figure)} MB`,
  MiB: (figure) => `${digits.format(figure)} MiB`,
  share: (figure) => `${digits.format(figure * 100)}%`,
  ms: (figure) => `${compact.format(figure)} ms`,
  s: (figure) => `${digits.format(figure)} s`,
  count: (figure) => String(figure),
}

/** One table of everything that was measured, in Markdown. */
export function table(measured: ReadonlyMap<Measurement, readonly Sample[]>): string {
  const lines = [...measured].flatMap(([measurement, samples]) =>
    measurement.comparisons.flatMap((comparison) => line(measurement, comparison, samples)),
  )
  return markdownTable([HEAD, ...lines], { align: ['l', 'r', 'l', 'r', 'r', 'l', 'l'] })
}

function line({ what, unit }: Measurement, comparison: Comparison, samples: readonly Sample[]): string[][] {
  const result = compare(comparison, samples)
  if (!result) return []
  const { of, theirs, goal } = comparison
  const format = FORMATS[comparison.unit ?? unit]
  return [
    [
      of ? `${what}: ${of}` : what,
      format(result.ours),
      theirs ? nameOf(theirs) : '',
      result.theirs === undefined ? '' : format(result.theirs),
      result.ratio === undefined ? '' : times(result.ratio),
      goal ? goalText(goal, theirs ? times : format) : '',
      result.met === undefined ? '' : result.met ? 'yes' : 'no',
    ],
  ]
}

/** Who gave a figure: some are in the table by themselves, others by the first word of theirs, as in `fixed peak`. */
function nameOf(figure: string): string {
  const [who = ''] = figure.split(' ')
  return NAMES[figure] ?? NAMES[who] ?? figure.replace(/ p\d\d, .*/, '')
}

function times(ratio: number): string {
  return `${ratio.toFixed(ratio < 10 ? 2 : 0)}x`
}

function goalText({ atLeast, atMost, neverUnder }: Goal, format: (figure: number) => string): string {
  return [
    atLeast !== undefined && `at least ${format(atLeast)}`,
    atMost !== undefined && `at most ${format(atMost)}`,
    neverUnder !== undefined && `never under ${format(neverUnder)}`,
  ]
    .filter(Boolean)
    .join(', ')
}
