import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { allChapters, findChapter } from '../src/chapters/chapters.ts'
import type { LabEvent } from '../src/lab/events.ts'
import { Lab } from '../src/lab/lab.ts'
import { type Promised, promiseOf, type Seen } from '../src/lab/promises.ts'
import { randomBy } from '../src/lab/random.ts'
import { Recorder, readRecording } from '../src/lab/recording.ts'
import type { Header } from '../src/lab/recording-lines.ts'
import { Replay } from '../src/lab/replay.ts'
import { namedIn, readScenario, scenarioOf, scenariosOf } from '../src/lab/scenario.ts'
import { actionsOf, completionsOf, helpFor, told } from '../src/lab/words.ts'
import { RECORDINGS_FOLDER } from '../src/record/record.ts'
import { freePorts } from '../src/run/environment.ts'

const chapter = findChapter('11')
const named = namedIn(chapter, { slave: 3 }, () => 0.5)
const withCommands = namedIn(findChapter('23'), { secondary: 2 }, () => 0.5)
const folder = mkdtempSync(join(tmpdir(), 'lab-test-'))
afterAll(() => rm(folder, { recursive: true }))

describe('what is typed', () => {
  test.for([
    'kill slave 2',
    'stop master',
    'continue slave 1',
    'restart slave 3',
    'skew slave 1 -3600s',
    'cut slave 1',
    'black-hole slave 1',
    'black-hole slave 1 in',
    'black-hole slave 1 out',
    'delay slave 1 200ms',
    'delay slave 1 200ms jitter 50ms',
    'trickle slave 1 100',
    'partition slave 1, slave 2 | slave 3, master',
    'heal slave 2',
    'heal',
  ])('"%s" is one action, which is told in the same words', (text) => {
    expect(actionsOf(text, named).map(told)).toEqual([text])
  })

  test('several nodes are named one by one, by what they are called together, or by chance', () => {
    const lanesIn = (text: string) => actionsOf(text, named).map((action) => 'lane' in action && action.lane)
    expect(lanesIn('kill slave 1, slave 3')).toEqual(['slave 1', 'slave 3'])
    expect(lanesIn('kill slaves')).toEqual(['slave 1', 'slave 2', 'slave 3'])
    expect(lanesIn('kill all')).toEqual(['master', 'slave 1', 'slave 2', 'slave 3'])
    expect(lanesIn('kill any slaves')).toEqual(['slave 2'])
  })

  test.for([
    ['kil slave 1', /no "kil" here\. Did you mean kill\?/],
    ['', /no "" here/],
    ['kill', /kill takes the name of a node: kill slave 1/],
    ['kill slave 9', /no node "slave 9" here\. Did you mean slave 1\? There are: master, slave 1,/],
    ['kill slavs', /Did you mean slaves\?/],
    ['delay slave 1', /"1" is no time: it takes a number with its unit/],
    ['delay slave 1 -1s', /delay takes a time from 0ms on/],
    ['skew slave 1 soon', /"soon" is no time/],
    ['trickle slave 1 fast', /whole number of bytes a second, 1 or more, and not "fast"/],
    ['partition slave 1', /two groups or more, with a \| between them: partition slave 1, master \| slave 2/],
  ] as const)('"%s" is refused, with what there is', ([text, why]) => {
    expect(() => actionsOf(text, named)).toThrow(why)
  })

  test('a command is run as it is typed, and named as a node is', () => {
    const run = 'run task secondary-1 "node  time"'
    expect(actionsOf(run, withCommands)).toEqual([
      { do: 'run', lane: 'task', args: 'secondary-1 "node  time"' },
    ])
    expect(actionsOf(run, withCommands).map(told)).toEqual([run])
    expect(actionsOf(' run  keys ', withCommands).map(told)).toEqual(['run keys'])
    expect(actionsOf('cut secondary  1, task', withCommands).map(told)).toEqual([
      'cut secondary 1',
      'cut task',
    ])
    expect(actionsOf('kill all', withCommands).map(told)).not.toContain('kill task')
    expect(helpFor(withCommands).join('\n')).toMatch(
      /^run everyone +starts a[\s\S]*is one of: everyone, task, status,/m,
    )
    expect(helpFor({ ...named, commands: [] }).join('\n')).not.toMatch(/A command is one of/)
  })

  test.for([
    [
      'run tsk secondary-1',
      /no command "tsk" here\. Did you mean task\? There are: everyone, task, status, keys, helpers\./,
    ],
    ['run', /run takes a command of the chapter\. There are: everyone,/],
    ['run primary', /primary is a node of the cluster, and no command\. There are: everyone,/],
    ['run secondary 1', /secondary is a node of the cluster, and no command/],
    ['run service primary --install', /no command "service" here/], // it would change this machine
  ] as const)('"%s" is refused, with the commands that there are', ([text, why]) => {
    expect(() => actionsOf(text, withCommands)).toThrow(why)
    expect(() => actionsOf(text, { ...withCommands, commands: [] })).toThrow(/this chapter has none\.$/)
  })

  test('the Tab key offers words, and then nodes', () => {
    expect(completionsOf('co', named)).toEqual(['continue'])
    expect(completionsOf('kill sl', named)).toEqual(
      ['slave 1', 'slave 2', 'slave 3', 'slaves'].map((name) => `kill ${name}`),
    )
    expect(completionsOf('kill slave 1, m', named)).toEqual(['kill slave 1, master'])
    expect(completionsOf('run t', withCommands)).toEqual(['run task'])
    expect(completionsOf('run s', withCommands)).toEqual(['run status'])
    expect(completionsOf('cut ta', withCommands)).toEqual(['cut task'])
  })
})

const opened = (at: number, lane: string, connection: number): LabEvent => ({
  type: 'opened',
  at,
  connection,
  from: lane,
  to: 'master',
})
const bytes = (at: number, from: string, to: string, connection: number): LabEvent => ({
  type: 'bytes',
  at,
  connection,
  from,
  to,
  chunk: 0,
  text: `"from ${from}"\r`,
})
const talk = (at: number, lane: string, connection: number) => [
  opened(at, lane, connection),
  bytes(at, lane, 'master', connection),
  bytes(at, 'master', lane, connection),
]
const started = (at: number, lane: string): LabEvent => ({ type: 'state', at, lane, state: 'started' })
const line = (at: number, lane: string, text: string): LabEvent => ({ type: 'line', at, lane, text })

describe('a promise', () => {
  const { lanes } = namedIn(chapter, { slave: 2 }, () => 0)
  const two = { ...named, lanes }
  const verdict = (promise: Promised, events: LabEvent[], seen: Partial<Seen> = {}) =>
    promise.verdict({ events, lanes, lastStepAt: 10, now: 60, ...seen })
  const up = lanes.map(({ name }) => started(0, name))

  test('that all are back wants each to run, and to have said and heard something since the last step', () => {
    const promise = promiseOf('all back within 30s', two)
    const both = [...up, ...talk(12, 'slave 1', 1), ...talk(14, 'slave 2', 2)]
    expect(verdict(promise, both)).toEqual({ is: 'kept', why: 'after 4.0 s' })
    const before = [...up, ...talk(2, 'slave 1', 0), ...talk(12, 'slave 2', 2)]
    expect(verdict(promise, before)).toEqual({ is: 'broken', why: 'not back: slave 1' })
    expect(verdict(promise, before, { now: 30 }).is).toBe('open')
    const late = [...up, ...talk(12, 'slave 1', 1), ...talk(41, 'slave 2', 2)]
    expect(verdict(promise, late).is).toBe('broken')
    const mute = [
      ...up,
      ...talk(12, 'slave 1', 1),
      opened(13, 'slave 2', 2),
      bytes(14, 'slave 2', 'master', 2),
    ]
    expect(verdict(promise, mute)).toEqual({ is: 'broken', why: 'not back: slave 2' })
    const dead: LabEvent = { type: 'state', at: 11, lane: 'master', state: 'ended', how: 'by SIGKILL' }
    expect(verdict(promise, [...up, dead, ...both.slice(3)])).toEqual({
      is: 'broken',
      why: 'not back: master',
    })
  })

  test('of a log wants the text from each, or from none', () => {
    const events = [line(1, 'slave 1', 'I have 3 (three)'), line(12, 'slave 2', 'I have 4')]
    expect(verdict(promiseOf('log of slaves has /I have \\d/', two), events).is).toBe('kept')
    expect(verdict(promiseOf('log of slaves has I have 4', two), events)).toEqual({
      is: 'open',
      why: 'it did not come from slave 1',
    })
    expect(verdict(promiseOf('log of slave 1 has 3 (three)', two), events).is).toBe('kept')
    expect(verdict(promiseOf('afterwards, log of slave 1 has 3 (three)', two), events).is).toBe('open')
    expect(verdict(promiseOf('log of master never has I have', two), events).is).toBe('open')
    expect(verdict(promiseOf('log of slaves never has I have 4', two), events)).toEqual({
      is: 'broken',
      why: 'slave 2 at 12.0 s: I have 4',
    })
  })

  test('of messages wants what went over the wire', () => {
    const events = talk(12, 'slave 1', 1)
    expect(verdict(promiseOf('messages of slave 1 have "from slave', two), events).is).toBe('kept')
    expect(verdict(promiseOf('messages of slave 2 have "from slave', two), events).is).toBe('open')
  })

  test('of connections counts those that come close together', () => {
    const promise = promiseOf('at most 1 connection within 1s', two)
    expect(verdict(promise, [opened(1, 'slave 1', 0), opened(1, 'slave 2', 1)]).is).toBe('open')
    expect(verdict(promise, [opened(11, 'slave 1', 0), opened(13, 'slave 2', 1)]).is).toBe('open')
    expect(verdict(promise, [opened(11, 'slave 1', 0), opened(11.9, 'slave 2', 1)])).toEqual({
      is: 'broken',
      why: '2 came within 1 s',
    })
  })

  test('that a command ends well wants exit code 0 in time, each time that it ran', () => {
    const promise = promiseOf('task ends well within 20s', withCommands)
    expect(promise.of).toEqual(['task'])
    const ended = (at: number, how: string): LabEvent => ({
      type: 'state',
      at,
      lane: 'task',
      state: 'ended',
      how,
    })
    const first = [started(5, 'task'), ended(8, 'with exit code 0')]
    expect(verdict(promise, first)).toEqual({ is: 'kept', why: 'after 3.0 s' })
    expect(verdict(promise, first, { lastStepAt: undefined }).is).toBe('open')
    expect(verdict(promise, [])).toEqual({ is: 'open', why: 'it has not run' })
    const again = [...first, started(30, 'task')]
    expect(verdict(promise, again, { now: 40 })).toEqual({ is: 'open', why: 'it runs still' })
    expect(verdict(promise, again)).toEqual({ is: 'broken', why: 'it runs still' })
    expect(verdict(promise, [...again, ended(51, 'with exit code 0')]).is).toBe('broken')
    for (const how of ['with exit code 1', 'by SIGKILL'])
      expect(verdict(promise, [...again, ended(31, how)])).toEqual({
        is: 'broken',
        why: `ended ${how} after 1.0 s`,
      })
    const said = promiseOf('afterwards, log of task has 12:00', withCommands)
    expect(verdict(said, [line(12, 'task', 'It is 12:00')]).is).toBe('kept')
    expect(() => promiseOf('primary ends well within 20s', withCommands)).toThrow(
      /a node of the cluster, and no command/,
    )
    expect(() => promiseOf('submit ends well within 20s', withCommands)).toThrow(/no command "submit" here/)
  })

  test('that is none is refused with those that there are', () => {
    expect(() => promiseOf('all is well', two)).toThrow(
      /no promise that can be checked[\s\S]*all back within 30s/,
    )
    expect(() => promiseOf('log of master has /(/', two)).toThrow(/no regular expression/)
  })
})

describe('a scenario', () => {
  const GOOD = `says: It heals.
nodes: { slaves: 2 }
steps:
  - { at: 5s, do: cut slave 1 }
  - { at: 9s, do: heal }
ends: 60s
promises:
  - all back within 40s
control: { without: reconnection }
`
  const read = (text: string) => scenarioOf(text, { file: 'x.yaml', name: 'x', chapter })

  test('says what is done when', () => {
    expect(read(GOOD)).toMatchObject({
      copies: { slave: 2 },
      speed: 10,
      steps: [
        { at: 5, text: 'cut slave 1' },
        { at: 9, text: 'heal' },
      ],
      ends: 60,
      control: { without: 'reconnection' },
    })
  })

  test.for([
    ['{ slaves: 2 }', '{ slave: 2 }', 'x.yaml:2:8: 11-reconnection has no slave. It has slaves.'],
    ['nodes', 'knots', 'x.yaml:2:8: knots is not known here. Did you mean nodes?'],
    ['at: 5s', 'at: 5', 'x.yaml:4:11: steps.0.at is 5. It takes a time with its unit, such as 5s.'],
    ['at: 5s', 'at: 5x', 'x.yaml:4:11: "5x" is no time'],
    ['at: 9s', 'at: 3s', 'x.yaml:5:11: this comes before the step above it'],
    ['cut slave 1', 'cut slave 3', 'x.yaml:4:19: There is no node "slave 3" here. Did you mean slave 1?'],
    ['cut slave 1', 'tickle slave 1', 'x.yaml:4:19: There is no "tickle" here. Did you mean trickle?'],
    ['ends: 60s', 'ends: 6s', 'x.yaml:6:7: it ends before its last step.'],
    ['all back', 'all happy', 'x.yaml:8:5: "all happy within 40s" is no promise that can be checked.'],
    [
      'without: reconnection',
      'without: hope',
      'x.yaml:9:21: control.without is "hope". It takes reconnection,',
    ],
    ['without: reconnection', '', 'x.yaml:9:10: control takes one of: chapter, without, replace.'],
    [
      'without: reconnection',
      'replace: { in: src/slave.ts, text: nowhere, with: there }',
      'x.yaml:9:47: this text does not stand in src/slave.ts',
    ],
    ['[', '[', ''],
  ] as const)('with "%s" as "%s" is refused at its place', ([from, to, told]) => {
    if (from === '[') expect(() => read(GOOD.replace('{ slaves', '[ slaves'))).toThrow(/^x\.yaml:\d+:\d+: /)
    else expect(() => read(GOOD.replace(from, to))).toThrow(told)
  })

  test('that promises something of a command which no step runs is refused', () => {
    const yaml = (promise: string) => `says: It is asked.
nodes: { secondaries: 2 }
steps:
  - { at: 5s, do: run everyone name }
ends: 60s
promises:
  - ${promise}
control: { without: reconnection }
`
    const of23 = { file: 'x.yaml', name: 'x', chapter: findChapter('23') }
    expect(scenarioOf(yaml('everyone ends well within 20s'), of23).promises).toHaveLength(1)
    for (const promise of ['task ends well within 20s', 'log of task never has refused'])
      expect(() => scenarioOf(yaml(promise), of23)).toThrow(
        'x.yaml:7:5: no step runs task, so nothing comes of it.',
      )
  })

  test('that is not there is told with those that are', () => {
    expect(() => readScenario(chapter, 'hurd')).toThrow(/no scenario "hurd"\. Did you mean herd\?/)
    expect(() => readScenario(findChapter('3'), 'herd')).toThrow(/03-sockets has no scenarios/)
  })

  test('is there in each chapter from 10 on, and can be read', () => {
    for (const each of allChapters().filter(({ number }) => number >= 10)) {
      expect(scenariosOf(each), each.name).not.toEqual([])
      for (const name of scenariosOf(each)) expect(readScenario(each, name).says, name).toMatch(/\.$/)
    }
  })
})

describe('a recording', () => {
  const header: Header = {
    version: 1,
    chapter: chapter.name,
    lanes: [...named.lanes],
    seed: 4,
    speed: 1,
    began: '2026-11-27T00:00:00.000Z',
  }
  const written = async (name: string, events: LabEvent[], mostBytes?: number) => {
    const file = join(folder, name)
    const told: string[] = []
    const recorder = await Recorder.open(file, header, (line) => told.push(line), mostBytes)
    recorder.add(events)
    await recorder.close()
    return { file, told }
  }

  test('has what happened, as it was told', async () => {
    const events = [...talk(1, 'slave 1', 0), line(2, 'slave 1', 'ä "quoted"\r'), started(3, 'slave 2')]
    const { file } = await written('whole.jsonl', events)
    expect(await readRecording(file)).toEqual({ header, events, leftOut: 0 })
  })

  test('stays below its limit, keeps what matters, and says what it lacks', async () => {
    const lines = Array.from({ length: 5000 }, (_, at) => line(at, 'slave 1', 'x'.repeat(100)))
    const { file, told } = await written('full.jsonl', [...lines, started(5000, 'slave 2')], 20_000)
    expect(statSync(file).size).toBeLessThan(21_000)
    expect(told).toEqual([expect.stringMatching(/^The recording is full .* left out of it\.$/)])
    const { events, leftOut } = await readRecording(file)
    expect(events.at(-1)).toEqual(started(5000, 'slave 2'))
    expect(events.length + leftOut).toBe(5001)
  })

  test('of a lab that was killed lacks half a line; one that is damaged, foreign or newer is one clear error', async () => {
    const { file } = await written('killed.jsonl', [started(1, 'slave 1'), started(2, 'slave 2')])
    truncateSync(file, statSync(file).size - 10)
    expect((await readRecording(file)).events).toEqual([started(1, 'slave 1')])
    appendFileSync(file, `\n${JSON.stringify(started(3, 'slave 3'))}\n`)
    await expect(readRecording(file)).rejects.toThrow(`${file}:3: this line is no event of a recording`)
    for (const [text, why] of [
      ['', /is empty/],
      ['hello\n', /is no recording: pnpm lab writes one/],
      ['{"version":2}\n', /of version 2, and this lab reads version 1/],
      ['{"chapter":"x",\n"connections":[', /is damaged/],
    ] as const) {
      writeFileSync(file, text)
      await expect(readRecording(file)).rejects.toThrow(why)
    }
    await expect(readRecording(join(folder, 'nowhere'))).rejects.toThrow(/There is no file/)
    await expect(Recorder.open(join(folder, 'no/such/folder'), header, () => {})).rejects.toThrow(
      /--record FILE/,
    )
  })

  test('of pnpm record is one, too, with what the terminal showed', async () => {
    const files = readdirSync(RECORDINGS_FOLDER).filter((file) => file.endsWith('.wire.json'))
    for (const file of files) {
      const path = join(RECORDINGS_FOLDER, file)
      const { header, events } = await readRecording(path)
      const wire = JSON.parse(readFileSync(path, 'utf8'))
      expect(header.lanes.map(({ name }) => name)).toEqual(wire.lanes)
      expect(events.filter(({ type }) => type !== 'line').length).toBe(wire.events.length)
      expect(events.some(({ type }) => type === 'line')).toBe(true)
      expect(header.lanes.some(({ connectsTo }) => connectsTo !== undefined)).toBe(true)
    }
  })

  test('is played in its order, and nothing can be done to it', async () => {
    const events = Array.from({ length: 50 }, (_, index) => line(index, 'slave 1', `${index}`))
    const { file } = await written('played.jsonl', events)
    const replay = await Replay.start(file, { speed: 1000 })
    const heard: LabEvent[] = []
    replay.onEvents((batch) => heard.push(...batch))
    await replay.over
    expect(heard).toEqual(events)
    expect(replay.history()).toEqual(events)
    await expect(replay.do({ do: 'heal-all' })).rejects.toThrow(/This is a recording/)
    await replay.close()
  })
})

test('chance can be repeated', () => {
  const [one, same, other] = [randomBy(7), randomBy(7), randomBy(8)]
  const numbers = Array.from({ length: 1000 }, () => one())
  expect(numbers).toEqual(Array.from({ length: 1000 }, () => same()))
  expect(numbers[0]).not.toBe(other())
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...numbers)).toBeLessThan(1)
})

test('faults are made on real processes, each is told, and nothing is left of them', async () => {
  const events: LabEvent[] = []
  const own = mkdtempSync(join(folder, 'tmp-'))
  vi.stubEnv('TMPDIR', own)
  const lab = await Lab.start(chapter, {
    copies: { slave: 2 },
    speed: 10,
    ports: await freePorts([chapter]),
    onEvents: (batch) => events.push(...batch),
  })
  const happened = (what: Record<string, unknown>, since = 0) =>
    vi.waitFor(() => expect(events.slice(since)).toContainEqual(expect.objectContaining(what)), 20_000)
  try {
    await lab.up
    await lab.do({ do: 'stop', lane: 'slave 1' })
    await expect(lab.do({ do: 'stop', lane: 'slave 1' })).rejects.toThrow(/stopped already/)
    await lab.do({ do: 'continue', lane: 'slave 1' })
    const hour = (ms: number) => new Date(Date.now() + 12 * 3_600_000 + ms).toTimeString().slice(0, 2)
    await lab.do({ do: 'skew', lane: 'slave 1', seconds: 12 * 3_600 })
    const late = new RegExp(`^\\[(${hour(0)}|${hour(60_000)}):`)
    await happened({ type: 'line', lane: 'slave 1', text: expect.stringMatching(late) })
    await lab.do({ do: 'kill', lane: 'slave 2' })
    await happened({ type: 'state', lane: 'slave 2', state: 'ended', how: 'by SIGKILL' })
    await expect(lab.do({ do: 'kill', lane: 'slave 2' })).rejects.toThrow(
      /slave 2 does not run.* restart slave 2/,
    )
    await lab.do({ do: 'cut', lane: 'slave 1' })
    await happened({ type: 'ended', from: 'master', to: 'slave 1', reset: true })
    await happened({ lane: 'slave 1', text: expect.stringMatching(/Lost the connection to the master/) })
    const cut = events.length
    await lab.do({ do: 'restart', lane: 'slave 2' })
    await lab.do({ do: 'heal', lane: 'slave 1' })
    for (const lane of ['slave 1', 'slave 2'])
      await happened({ type: 'bytes', from: 'master', to: lane }, cut)

    const parted = events.length
    await lab.do({ do: 'partition', groups: [['master', 'slave 1'], ['slave 2']] })
    await happened({ lane: 'slave 2', text: expect.stringMatching(/Nothing came from the master/) }, parted)
    expect(events.slice(parted)).not.toContainEqual(
      expect.objectContaining({ lane: 'slave 1', text: expect.stringMatching(/Nothing came/) }),
    )
    const healed = events.length
    await lab.do({ do: 'heal-all' })
    await happened({ type: 'bytes', from: 'master', to: 'slave 2' }, healed)

    const killed = events.length
    await lab.do({ do: 'kill', lane: 'master' })
    await happened({ lane: 'slave 1', text: expect.stringMatching(/Nobody listens on/) }, killed)
    await lab.do({ do: 'restart', lane: 'master' })
    await happened({ type: 'bytes', from: 'master', to: 'slave 1' }, killed)

    await expect(lab.do({ do: 'cut', lane: 'master' })).rejects.toThrow(
      /connects to nobody.* slave 1, slave 2/,
    )
    await expect(lab.do({ do: 'partition', groups: [['slave 1'], ['slave 2']] })).rejects.toThrow(
      /parts nobody/,
    )
    await expect(lab.do({ do: 'dance' } as never)).rejects.toThrow(/no action "dance"/)
    await expect(lab.do({ do: 'kill', lane: 'slav 1' })).rejects.toThrow(/Did you mean slave 1/)
  } finally {
    await lab.close()
  }
  const times = events.map(({ at }) => at)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(lab.history()).toEqual(events)
  expect(readdirSync(own)).toEqual([])
  vi.unstubAllEnvs()
})

test('commands of a chapter run in its cluster, each with a link of its own', async () => {
  const events: LabEvent[] = []
  const daemon = findChapter('23')
  const lab = await Lab.start(daemon, {
    copies: { secondary: 2 },
    speed: 10,
    ports: await freePorts([daemon]),
    onEvents: (batch) => events.push(...batch),
  })
  const happened = (what: Record<string, unknown>, since = 0) =>
    vi.waitFor(() => expect(events.slice(since)).toContainEqual(expect.objectContaining(what)), 20_000)
  const ends = (lane: string, how: string, since = 0) =>
    happened({ type: 'state', lane, state: 'ended', how }, since)
  try {
    expect(lab.commands).toEqual(['everyone', 'task', 'status', 'keys', 'helpers'])
    await lab.up
    await lab.do({ do: 'run', lane: 'task', args: 'secondary-1 node-time' })
    await expect(lab.do({ do: 'run', lane: 'task', args: '' })).rejects.toThrow(/task runs already/)
    // Two connections: one who is cut off cuts nobody else off.
    await lab.do({ do: 'cut', lane: 'everyone' })
    await lab.do({ do: 'run', lane: 'everyone', args: 'name' })
    await ends('task', 'with exit code 0')
    await happened({ type: 'opened', from: 'task', to: 'primary' })
    await happened({ type: 'line', lane: 'task', text: expect.stringMatching(/\d\d:\d\d/) })
    await ends('everyone', 'with exit code 1')

    const healed = events.length
    await expect(lab.do({ do: 'kill', lane: 'everyone' })).rejects.toThrow(/run everyone starts it/)
    await expect(lab.do({ do: 'restart', lane: 'everyone' })).rejects.toThrow(/run everyone starts it/)
    await expect(lab.do({ do: 'run', lane: 'secondary 1', args: '' })).rejects.toThrow(/restart secondary 1/)
    await lab.do({ do: 'heal', lane: 'everyone' })
    await lab.do({ do: 'run', lane: 'everyone', args: '"name"' })
    await ends('everyone', 'with exit code 0', healed)
    for (const name of ['secondary-1', 'secondary-2'])
      await happened({ lane: 'everyone', text: expect.stringMatching(`${name}, after [\\d.]+ ms: `) }, healed)

    await lab.do({ do: 'black-hole', lane: 'everyone', direction: 'both' })
    await lab.do({ do: 'run', lane: 'everyone', args: 'name' })
  } finally {
    await lab.close()
  }
  // One that waits for an answer ends with the lab.
  const of = events.flatMap((event) =>
    event.type === 'state' && event.lane === 'everyone' ? event.state : [],
  )
  expect(of).toEqual(['started', 'ended', 'started', 'ended', 'started', 'ended'])
})

test('a chapter without links has no lab', async () => {
  await expect(Lab.start(findChapter('2'))).rejects.toThrow(/no program connects to another/)
})
