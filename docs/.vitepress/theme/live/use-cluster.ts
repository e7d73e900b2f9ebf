/** A chapter's cluster in the page, as what shows it needs it. */
import type { LabAction, LabEvent, Lane, LineSaid } from '@rpi-cluster/tutorial/lab/events'
import { onMounted, onUnmounted, reactive, ref, shallowReactive, shallowRef } from 'vue'
import type { LiveChapter } from '../../../live/chapter.ts'
import { LiveCluster, MOST_NODES, type SourceProblem } from '../../../live/cluster.ts'

/** A line of a node's terminal. */
export interface SaidLine {
  id: number
  text: string
  level: NonNullable<LineSaid['level']>
}

/** How many lines a node's terminal keeps: the time line has more. */
const MOST_LINES = 300

/** How long programs may take to end by themselves, in ms: they promise a second. */
const PATIENCE_MS = 2_000

/** Where a file and its line are named: `src/node.ts:12:5`, `rpicluster.cfg, line 5`. */
const PLACE = /((?:src\/)?[\w.-]+\.(?:ts|cfg|json))(?::|,? line )(\d+)(?::(\d+))?/

/** A line of a stack that is in a program. */
const IN_STACK = /^(\s+at .*\bsrc\/[\w.-]+\.ts:)(\d+)(?=:\d+)/

/** How many lines this browser puts above the text of a function that is made of one, as a program is here. */
const LINES_ABOVE = linesAbove()

/**
 * @param show takes what happens; `begin` says that there has been nothing yet
 */
export function useCluster(
  chapter: LiveChapter,
  worker: string | URL,
  show: {
    begin(lanes: readonly Lane[]): void
    lanes(lanes: readonly Lane[]): void
    add(events: LabEvent[]): void
  },
) {
  const several = chapter.programs.find(({ many }) => many !== undefined)
  const others = chapter.programs
    .filter((program) => program !== several)
    .reduce((sum, { copies }) => sum + copies, 0)
  const mostCopies = MOST_NODES - others

  const copies = ref(Math.min(several?.copies ?? 1, mostCopies))
  const speed = ref(1)
  const isRunning = ref(false)
  const isPaused = ref(false)
  const isStopping = ref(false)
  const seconds = ref(0)
  const lanes = shallowRef<readonly Lane[]>([])
  const states = reactive<Record<string, string>>({})
  const lines = shallowReactive<Record<string, readonly SaidLine[]>>({})
  const problems = shallowRef<readonly SourceProblem[]>([])
  /** The last that was done, in words for who listens; or what could not be done. */
  const refused = ref('')
  let files: Record<string, string> = {}
  /** The files that now run. */
  let running: Record<string, string> = {}
  let cluster = make()
  let lastLine = 0
  /** The last line of each node that is of no stack. */
  const why = new Map<string, string>()
  let frame = 0
  lanes.value = [...cluster.lanes]

  function make() {
    const made: LiveCluster = new LiveCluster(
      chapter,
      { worker, files: { ...files }, ...(several && { copies: copies.value }) },
      // What an older one still says is of no interest.
      (events) => made === cluster && take(events),
    )
    return made
  }

  function take(told: LabEvent[]) {
    const events = told.map((event) =>
      event.type === 'line' ? { ...event, text: asWritten(event.text) } : event,
    )
    show.add(events)
    const said = new Map<string, SaidLine[]>()
    for (const event of events) {
      if (event.type === 'state') {
        states[event.lane] = event.how === undefined ? event.state : `${event.state}: ${event.how}`
        if (event.state === 'started') tellLanes()
      }
      if (event.type !== 'line') continue
      lastLine += 1
      const line = { id: lastLine, text: event.text, level: event.level ?? 'info' }
      said.set(event.lane, [...(said.get(event.lane) ?? []), line])
    }
    for (const [lane, added] of said) {
      lines[lane] = [...(lines[lane] ?? []), ...added].slice(-MOST_LINES)
      for (const { text, level } of added) {
        if (level === 'error') noteProblem(text, text)
        // The first line of a stack that is in a program is where it failed; above it stands why.
        else if (IN_STACK.test(text)) noteProblem(text, why.get(lane) ?? text)
        else if (!/^\s+at /.test(text)) why.set(lane, text)
      }
    }
  }

  /** What a program says of a line of a file, it is shown there. */
  function noteProblem(text: string, message: string) {
    const [, where = '', line, column] = PLACE.exec(text) ?? []
    const file = Object.keys(chapter.files).find((one) => one === where || one.endsWith(`/${where}`))
    if (file === undefined) return
    const problem = { file, line: Number(line), column: Number(column ?? 1), message }
    const isKnown = problems.value.some(
      (one) => one.message === message || (one.file === file && one.line === problem.line),
    )
    if (!isKnown) problems.value = [...problems.value, problem]
  }

  function tellLanes() {
    lanes.value = [...cluster.lanes]
    show.lanes(lanes.value)
  }

  /** Starts all anew. */
  async function start() {
    cluster.close()
    cluster = make()
    problems.value = cluster.setFiles({ ...chapter.files, ...files })
    for (const name of Object.keys(states)) delete states[name]
    for (const name of Object.keys(lines)) delete lines[name]
    lanes.value = [...cluster.lanes]
    show.begin(lanes.value)
    isRunning.value = problems.value.length === 0
    isPaused.value = false
    if (!isRunning.value) return
    running = { ...files }
    cluster.setSpeed(speed.value)
    await cluster.start()
  }

  /** As Ctrl-C does; programs that do not end by themselves are ended. */
  async function stop() {
    if (isStopping.value) return
    isStopping.value = true
    if (!isPaused.value) {
      for (const { name } of cluster.lanes) if (isAlive(name)) cluster.signal(name, 'SIGINT')
      const begin = performance.now()
      while (cluster.lanes.some(({ name }) => isAlive(name)) && performance.now() - begin < PATIENCE_MS)
        await new Promise(requestAnimationFrame)
    }
    cluster.close()
    for (const { name } of cluster.lanes) if (isAlive(name)) states[name] = 'ended'
    isRunning.value = false
    isPaused.value = false
    isStopping.value = false
  }

  const isAlive = (name: string) => name in states && !states[name]?.startsWith('ended')

  /** Lets what was written run: those nodes begin anew whose program it is, or all where others depend on it. */
  async function run() {
    const changed = [...new Set([...Object.keys(files), ...Object.keys(running)])].filter(
      (file) => files[file] !== running[file],
    )
    const programs = changed.map(
      (file) => chapter.programs.find(({ name }) => file === `src/${name}.ts`)?.name,
    )
    const isForAll = programs.some(
      (name) => name === undefined || chapter.programs.some(({ connectsTo }) => connectsTo === name),
    )
    if (!isRunning.value || isPaused.value || changed.length === 0 || isForAll) return start()
    problems.value = cluster.setFiles({ ...chapter.files, ...files })
    if (problems.value.length > 0) return
    running = { ...files }
    for (const { name, program } of cluster.lanes)
      if (programs.includes(program)) cluster.do({ do: 'restart', lane: name })
  }

  function act(action: LabAction) {
    refused.value = ''
    try {
      cluster.do(action)
    } catch (error) {
      refused.value = (error as Error).message
    }
  }

  onMounted(() => {
    const look = () => {
      if (isRunning.value) seconds.value = cluster.seconds
      frame = requestAnimationFrame(look)
    }
    frame = requestAnimationFrame(look)
  })

  onUnmounted(() => {
    cancelAnimationFrame(frame)
    cluster.close()
  })

  return {
    several,
    mostCopies,
    copies,
    speed,
    isRunning,
    isPaused,
    isStopping,
    seconds,
    lanes,
    states,
    lines,
    problems,
    refused,
    start,
    stop,
    run,
    act,
    edit(changed: Record<string, string>) {
      files = changed
    },
    setCopies(wanted: number) {
      copies.value = Math.min(Math.max(wanted, 1), mostCopies)
      if (isRunning.value) {
        cluster.setCopies(copies.value)
        tellLanes()
      } else {
        cluster.close()
        cluster = make()
        tellLanes()
      }
    },
    setSpeed(factor: number) {
      speed.value = factor
      cluster.setSpeed(factor)
    },
    pause() {
      cluster.pause()
      seconds.value = cluster.seconds
      isPaused.value = true
    },
    resume() {
      cluster.resume()
      isPaused.value = false
    },
    async step(ms: number) {
      isPaused.value = true
      await cluster.step(ms)
    },
  }
}

/** A line of a stack with the number that the line has where it was written. */
function asWritten(text: string): string {
  return text.replace(IN_STACK, (_, head, line) => `${head}${Number(line) - LINES_ABOVE}`)
}

function linesAbove(): number {
  const { stack } = new Function(
    'require',
    'exports',
    'return new Error()\n//# sourceURL=first-line.ts',
  )() as Error
  return Number(/first-line\.ts:(\d+)/.exec(stack ?? '')?.[1] ?? 1) - 1
}
