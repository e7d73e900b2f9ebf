/** A chapter's cluster in the page: a worker for each node, a network in memory between them, and one clock for all. */
import type { LabAction, LabEvent, Lane } from '@rpi-cluster/tutorial/lab/events'
import type { LiveChapter, LiveProgram } from './chapter.ts'
import { browserTime, Clock } from './clock.ts'
import type { FromWorker, Script, ToWorker } from './messages.ts'
import { type LinkFault, Network } from './network.ts'
import { toScript } from './to-script.ts'

export interface LiveOptions {
  /** Where the program of a node's worker is: what the build made of `worker.ts`. */
  worker: string | URL
  /** How many of the program that may have several. Default: as the chapter says. 1 to {@link MOST_NODES} nodes in all. */
  copies?: number
  /** What the reader has changed: takes the place of the chapter's file with this path. */
  files?: Record<string, string>
}

/** A mistake in what the reader wrote, found before it runs. */
export interface SourceProblem {
  file: string
  /** From 1. */
  line: number
  column: number
  message: string
}

/** The most nodes that run in a page. */
export const MOST_NODES = 8

/** Where the chapter's folder would be on a Pi. */
const HOME = '/home/pi'

const SEPARATOR = 0x0d

/** How long it may take a program to say that it is ready, before the next one starts all the same, in ms. */
const READY_MS = 5_000

/** How a line of the log says how serious it is. */
const LEVELS: Record<string, 'debug' | 'info' | 'warning' | 'error'> = {
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warning',
  ERROR: 'error',
  FATAL: 'error',
}

interface Running {
  worker: Worker
  post(message: ToWorker): void
  /** What it has said and has not ended with a line feed. */
  rest: string
  isReady: boolean
  isHeld: boolean
}

interface Place {
  lane: Lane
  program: LiveProgram
  copy: number
  running?: Running | undefined
  skew: number
}

/** A chapter's cluster. */
export class LiveCluster {
  /** Who connected, and from where, by the numbers that the events of the wire have. */
  readonly connections: { lane: string; address: string }[] = []
  readonly #chapter: LiveChapter
  readonly #worker: string | URL
  readonly #tell: (events: LabEvent[]) => void
  readonly #clock = new Clock({ speed: 1, shows: 0, when: browserTime() })
  readonly #network: Network
  readonly #began = Date.now()
  #places: Place[]
  #files: Record<string, string>
  #scripts: Script[] = []
  #speed = 1
  #pid = 1000
  #chunks = 0
  #events: LabEvent[] = []
  #isTellingSoon = false
  #isClosed = false
  #wakeStart = () => {}
  #endStep: (() => void) | undefined

  constructor(chapter: LiveChapter, options: LiveOptions, onEvents: (events: LabEvent[]) => void) {
    this.#chapter = chapter
    this.#worker = options.worker
    this.#tell = onEvents
    this.#files = { ...chapter.files, ...options.files }
    const watcher = {
      opened: (connection: number, lane: string, to: string, address: string) => {
        this.connections[connection] = { lane, address }
        this.#happened({ type: 'opened', at: this.seconds, connection, from: lane, to })
      },
      bytes: (connection: number, from: string, to: string, bytes: Uint8Array) =>
        this.#passed(connection, from, to, bytes),
      ended: (connection: number, from: string, to: string, reset: boolean) =>
        this.#happened({ type: 'ended', at: this.seconds, connection, from, to, ...(reset && { reset }) }),
    }
    this.#network = new Network(this.#clock, watcher)
    this.#places = chapter.programs.flatMap((program) =>
      Array.from({ length: program.many ? (options.copies ?? program.copies) : program.copies }, (_, index) =>
        placeOf(program, index + 1),
      ),
    )
    this.#places.length = Math.min(this.#places.length, MOST_NODES)
  }

  /** Who is there, in the order in which they start. Grows and shrinks with {@link setCopies}. */
  get lanes(): Lane[] {
    return this.#places.map(({ lane }) => lane)
  }

  /** The time since the start, in seconds, on the clock that the reader stops and slows. */
  get seconds(): number {
    return this.#clock.now() / 1000
  }

  get isPaused(): boolean {
    return this.#clock.pace.speed === 0
  }

  /**
   * Starts all, each program when those before it are ready. Returns when the last one has been started.
   *
   * @returns what cannot be read in the reader's files. Then nothing was started.
   */
  async start(): Promise<SourceProblem[]> {
    const problems = this.setFiles({})
    if (problems.length > 0) return problems
    for (const program of this.#chapter.programs) {
      for (const place of this.#places) if (place.program === program) this.#run(place)
      const isUp = () =>
        this.#places.every((place) => place.program !== program || !place.running || place.running.isReady)
      const late = this.#clock.now() + READY_MS
      while (
        !this.#isClosed &&
        !isUp() &&
        this.#clock.now() < late &&
        program !== this.#chapter.programs.at(-1)
      )
        await new Promise<void>((resolve) => {
          this.#wakeStart = resolve
          this.#clock.at(late, resolve)
        })
      if (this.#isClosed) break
    }
    return []
  }

  /** Carries out what a button says. */
  do(action: LabAction): void {
    this.#happened({ type: 'done', at: this.seconds, action })
    if (action.do === 'partition') {
      this.#network.partition(action.groups)
      return
    }
    if (action.do === 'heal-all') {
      this.#network.healAll()
      return
    }
    const place = this.#places.find(({ lane }) => lane.name === action.lane)
    if (!place) return
    const { lane } = action
    switch (action.do) {
      case 'kill':
        this.#ended(place, 'killed (SIGKILL)')
        return
      case 'restart':
        this.#ended(place, 'killed (SIGKILL)')
        this.#run(place)
        return
      case 'stop':
        this.#hold(place, true)
        return
      case 'continue':
        this.#hold(place, false)
        return
      case 'skew':
        place.skew = action.seconds
        place.running?.post({ what: 'skew', seconds: action.seconds })
        return
      case 'cut':
        this.#network.change(lane, { isCut: true })
        return
      case 'heal':
        this.#network.change(lane, { toServer: {}, toClient: {}, isCut: false })
        return
      case 'black-hole':
        this.#fault(lane, { blackHole: true }, action.direction)
        return
      case 'delay':
        this.#fault(lane, { delayMs: action.delayMs, jitterMs: action.jitterMs ?? 0 })
        return
      case 'trickle':
        this.#fault(lane, { bytesPerSecond: action.bytesPerSecond })
        return
    }
  }

  #fault(lane: string, fault: LinkFault, direction: 'toServer' | 'toClient' | 'both' = 'both'): void {
    const { toServer, toClient } = this.#network.link(lane)
    this.#network.change(lane, {
      ...(direction !== 'toClient' && { toServer: { ...toServer, ...fault } }),
      ...(direction !== 'toServer' && { toClient: { ...toClient, ...fault } }),
    })
  }

  /** Sends a signal, as Ctrl-C does: the program may end by itself. */
  signal(lane: string, signal: 'SIGINT' | 'SIGTERM'): void {
    this.#places.find((place) => place.lane.name === lane)?.running?.post({ what: 'signal', signal })
  }

  /** Lets so many copies run of the program that may have several: starts or kills the last ones. */
  setCopies(copies: number): void {
    const program = this.#chapter.programs.find(({ many }) => many !== undefined)
    if (!program) return
    const others = this.#places.filter((place) => place.program !== program)
    const now = this.#places.filter((place) => place.program === program)
    const most = Math.max(1, Math.min(copies, MOST_NODES - others.length))
    for (const place of now.slice(most)) this.#ended(place, 'killed (SIGKILL)')
    const more = Array.from({ length: Math.max(0, most - now.length) }, (_, index) =>
      placeOf(program, now.length + index + 1),
    )
    const all = new Set([...others, ...now.slice(0, most), ...more])
    this.#places = this.#chapter.programs.flatMap((one) => [...all].filter((place) => place.program === one))
    for (const place of more) this.#run(place)
  }

  /**
   * From the next start (`restart`) of a node on, these texts take the place of its files.
   *
   * @returns what cannot be read in them. Then everything stays as it is.
   */
  setFiles(files: Record<string, string>): SourceProblem[] {
    const all = { ...this.#files, ...files }
    const scripts: Script[] = []
    const problems: SourceProblem[] = []
    for (const [path, text] of Object.entries(all)) {
      if (!path.endsWith('.ts')) continue
      const made = toScript(path, text)
      if ('code' in made) scripts.push(made)
      else problems.push(made)
    }
    if (problems.length > 0) return problems
    this.#files = all
    this.#scripts = scripts
    return []
  }

  pause(): void {
    this.#pace(0)
  }

  resume(): void {
    this.#pace(this.#speed)
  }

  /** 1 is real time, 0.1 ten times slower. */
  setSpeed(factor: number): void {
    this.#speed = factor
    if (!this.isPaused) this.#pace(factor)
  }

  /** Lets so much time pass, and pauses. */
  step(ms: number): Promise<void> {
    this.pause()
    const until = this.#clock.now() + ms
    return new Promise((resolve) => {
      this.#endStep = resolve
      this.#pace(this.#speed, until)
      this.#clock.at(until, () => {
        if (this.#endStep === resolve) this.pause()
      })
    })
  }

  #pace(speed: number, until?: number): void {
    const pace = {
      speed,
      shows: this.#clock.now(),
      when: browserTime(),
      ...(until !== undefined && { until }),
    }
    this.#clock.set(pace)
    for (const { running } of this.#places) running?.post({ what: 'pace', pace })
    if (until === undefined) {
      this.#endStep?.()
      this.#endStep = undefined
    }
  }

  /** Ends all workers. */
  close(): void {
    this.#isClosed = true
    for (const { running } of this.#places) running?.worker.terminate()
    this.#clock.close()
    this.#wakeStart()
    this.#endStep?.()
  }

  #run(place: Place): void {
    const { lane, program } = place
    const worker = new Worker(this.#worker, { name: lane.name })
    const post = (message: ToWorker) => worker.postMessage(message)
    const running: Running = { worker, post, rest: '', isReady: false, isHeld: false }
    place.running = running
    const toNetwork = this.#network.attach(lane.name, post)
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (place.running !== running) return
      if (data.what === 'said') this.#said(place, running, data.text)
      else if (data.what === 'ended')
        this.#ended(place, data.signal ? `ended by ${data.signal}` : `exit code ${data.code}`)
      else toNetwork(data)
    }
    worker.onerror = (event) => {
      this.#line(place, running, event.message || 'The worker could not be loaded.')
      this.#ended(place, 'exit code 1')
    }
    const { config } = this.#chapter
    const text = config === undefined ? undefined : this.#files[config]
    const name = this.#chapter.name
    post({
      what: 'start',
      main: `src/${program.name}.ts`,
      scripts: this.#scripts,
      files: {
        ...this.#files,
        'package.json': JSON.stringify({ name, type: 'module' }),
        ...(config !== undefined && text !== undefined && { [config]: text }),
      },
      folder: `${HOME}/${name}`,
      args: program.args.map((arg) => arg.replaceAll('{n}', String(place.copy))),
      env: { HOME, PATH: '/usr/bin:/bin' },
      pid: this.#pid++,
      hostname: 'pi',
      pace: this.#clock.pace,
      began: this.#began,
      skew: place.skew,
    })
    this.#happened({ type: 'state', at: this.seconds, lane: lane.name, state: 'started' })
  }

  #said(place: Place, running: Running, text: string): void {
    const lines = `${running.rest}${text}`.split('\n')
    running.rest = lines.pop() ?? ''
    for (const line of lines) this.#line(place, running, line)
  }

  #line({ lane, program }: Place, running: Running, text: string): void {
    const level = LEVELS[/^\[[\d:.]+\] ([A-Z]+)/.exec(text)?.[1] ?? '']
    this.#happened({ type: 'line', at: this.seconds, lane: lane.name, text, ...(level && { level }) })
    if (running.isReady || !program.ready.some((ready) => text.includes(ready))) return
    running.isReady = true
    this.#happened({ type: 'state', at: this.seconds, lane: lane.name, state: 'ready' })
    this.#wakeStart()
  }

  #ended(place: Place, how: string): void {
    const { running, lane } = place
    if (!running) return
    running.worker.terminate()
    if (running.rest !== '') this.#line(place, running, running.rest)
    place.running = undefined
    this.#network.detach(lane.name)
    this.#happened({ type: 'state', at: this.seconds, lane: lane.name, state: 'ended', how })
    this.#wakeStart()
  }

  #hold({ running, lane }: Place, isHeld: boolean): void {
    if (!running || running.isHeld === isHeld) return
    running.isHeld = isHeld
    running.post({ what: 'hold', isHeld })
    const state = isHeld ? 'stopped' : 'continued'
    this.#happened({ type: 'state', at: this.seconds, lane: lane.name, state })
  }

  #passed(connection: number, from: string, to: string, bytes: Uint8Array): void {
    const onWire = { at: this.seconds, connection, from, to, chunk: this.#chunks++ }
    for (const piece of cutAfterSeparators(bytes))
      this.#happened({ type: 'bytes', ...onWire, ...contentOf(piece) })
  }

  /** Told together, once in a turn: a busy wire has many. */
  #happened(event: LabEvent): void {
    this.#events.push(event)
    if (this.#isTellingSoon) return
    this.#isTellingSoon = true
    queueMicrotask(() => {
      this.#isTellingSoon = false
      const events = this.#events
      this.#events = []
      if (!this.#isClosed) this.#tell(events)
    })
  }
}

function placeOf(program: LiveProgram, copy: number): Place {
  const { name, many, connectsTo } = program
  return {
    program,
    copy,
    skew: 0,
    lane: {
      name: many === undefined ? name : `${name} ${copy}`,
      program: name,
      ...(connectsTo !== undefined && { connectsTo }),
    },
  }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function contentOf(bytes: Uint8Array): { text: string } | { base64: string } {
  try {
    return { text: strict.decode(bytes) }
  } catch {
    return { base64: btoa(String.fromCharCode(...bytes)) }
  }
}

function cutAfterSeparators(bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let begin = 0; begin < bytes.length; ) {
    const at = bytes.indexOf(SEPARATOR, begin)
    const end = at < 0 ? bytes.length : at + 1
    pieces.push(bytes.subarray(begin, end))
    begin = end
  }
  return pieces
}
