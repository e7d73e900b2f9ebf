/**
 * How a program keeps going and ends well: one stop signal for Ctrl-C, SIGTERM and a terminal that closes, a loop that
 * ends at once when it is stopped, and one place where a fatal error becomes readable lines and
 * exit code 1.
 *
 * @since 0.2.0
 */
import { setMaxListeners } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { isatty } from 'node:tty'

/** The longest time a timer of Node takes, in ms: 2^31 - 1, about 24.8 days. A longer one fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** How long a stopped program may take to end, in ms, before it is ended. */
const STOP_DEADLINE_MS = 900

/** How often it is looked at how long that has taken, in ms. */
const STOP_TURN_MS = 90

/** How long after a signal a further one is somebody's who does not want to wait, in ms. One Ctrl-C may come as two. */
const IMPATIENT_AFTER_MS = 500

/**
 * Something went wrong that is not a bug: a port is taken, a key is missing, a cable was pulled.
 * It carries one line for each problem, and each line says what happened, where, and what to do.
 */
export class OperationalError extends Error {
  override readonly name: string = 'OperationalError'

  /** One readable line for each problem. Never empty. */
  readonly problems: readonly string[]

  constructor(problems: string | readonly string[], options?: ErrorOptions) {
    const lines = typeof problems === 'string' ? [problems] : [...problems]
    super(lines.join('\n'), options)
    this.problems = lines
  }
}

/** Where the end of a program is written: a logger, seen from here. */
export interface EndReport {
  /** How a program ended that was asked to. */
  info(line: string): void
  /** A problem that ended the program. */
  fatal(line: string): void
  /** What only a maintainer wants to read, as the stack of a bug. */
  debug(detail: { err: unknown }, line: string): void
}

/** What asks a program to stop: Ctrl-C, the system or another program, a terminal that was closed. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

const controller = new AbortController()
// As many wait for it as a node has connections and questions: that is no leak.
setMaxListeners(0, controller.signal)
let stoppedBy: (typeof STOP_SIGNALS)[number] = 'SIGTERM'
let handlersInstalled = false
/** What is done first when the program is asked to stop, and since when that is done, in ms of performance.now(). */
let preparation: (() => Promise<void>) | undefined
let preparingSince: number | undefined
let terminals: number[] = []
let report: EndReport | undefined

/**
 * The signal that says when to stop. Call it first thing in a program: from then on
 *
 * - SIGINT (Ctrl-C), SIGTERM, and SIGHUP (its terminal was closed) abort the signal, whatever was given
 *   it ends, and the program with it: the log's last line is `Stopped`, the exit code is 0. A program that
 *   has not ended 900 ms later is ended, with exit code 1 and a line that says so. Time in which the system
 *   did not let it run does not count;
 * - an error that nobody caught is written as one line for each of its problems, without a stack
 *   trace (unless it is a bug, and there is no log for that), and ends the program with exit code 1;
 * - a console that goes away (`| head`) stops the program quietly, with exit code 0.
 *
 * Every call returns the same signal. It never throws.
 */
export function stopSignal(): AbortSignal {
  if (!handlersInstalled) {
    handlersInstalled = true
    terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor))
    for (const signal of STOP_SIGNALS) process.on(signal, stopBy)
    process.on('uncaughtException', endWith)
    process.on('exit', sayStopped)
    process.on('exit', letGoOfTerminals)
    process.stdout.on('error', stopIfConsoleIsGone)
    process.stderr.on('error', stopIfConsoleIsGone)
  }
  return controller.signal
}

/**
 * The same signal, for what waits without being given one. To look at it changes nothing: it is never aborted
 * in a program that has not called {@link stopSignal}, or {@link requestStop}.
 */
export const stopRequest: AbortSignal = controller.signal

/** Asks this program to stop, as Ctrl-C does. A second call changes nothing. */
export function requestStop(): void {
  if (controller.signal.aborted || preparingSince !== undefined) return
  if (!preparation) {
    stopNow()
    return
  }
  preparingSince = performance.now()
  void preparation().finally(stopNow)
}

/**
 * Whether this program was asked to stop, also while it does what is done first.
 *
 * @internal
 */
export function isAskedToStop(): boolean {
  return controller.signal.aborted || preparingSince !== undefined
}

/**
 * From now on, when this program is asked to stop, something is done first, and then the stop signal is aborted. Who asks
 * again, by a signal half a second later, does not wait for that.
 *
 * @param prepare resolves when the program may stop; it limits its own time
 * @internal
 */
export function beforeStop(prepare: () => Promise<void>): void {
  preparation = prepare
}

/**
 * From now on SIGHUP is no stop. It still is one when it came with the end of the terminal that the program was started in.
 *
 * @param take what to do about it
 * @internal
 */
export function takeHangUp(take: () => void): void {
  process.off('SIGHUP', stopBy)
  process.on('SIGHUP', (signal) => {
    if (terminals.some((descriptor) => !isatty(descriptor))) stopBy(signal as 'SIGHUP')
    else take()
  })
}

function stopNow(): void {
  if (controller.signal.aborted) return
  controller.abort()

  // A reader's experiment may wait for something that knows no stop signal. The time is read off
  // the clock at each turn, because the turns of a timer come faster under the tests' fast clock. A turn
  // that comes late tells of a busy machine: the program could do as little in that time as this could.
  let [waited, before] = [0, performance.now()]
  setInterval(() => {
    const now = performance.now()
    waited += Math.min(now - before, 2 * STOP_TURN_MS)
    before = now
    if (waited < STOP_DEADLINE_MS) return
    writeFatal(
      `Still busy ${STOP_DEADLINE_MS} ms after the stop signal, so it was ended. Does everything that waits get the stop signal?`,
    )
    leave(1)
  }, STOP_TURN_MS).unref()
}

function stopBy(signal: (typeof STOP_SIGNALS)[number]): void {
  if (!controller.signal.aborted) stoppedBy = signal
  if (preparingSince !== undefined && performance.now() - preparingSince > IMPATIENT_AFTER_MS) stopNow()
  else requestStop()
}

/**
 * Runs a loop at a steady pace: the first turn comes at once (or after `firstAfter`), each further
 * one when `ms` milliseconds have passed since the turn before ended. A slow turn delays the next
 * one, and never causes a burst. The loop ends, without an error, as soon as the signal is aborted.
 *
 * @param ms the pause between two turns, in milliseconds: 1 to 2147483647
 * @param signal what ends the loop, usually {@link stopSignal}'s
 * @param options `firstAfter`: how long to wait before the first turn, in milliseconds. Default: 0.
 * @throws RangeError at the first turn, when a time is out of its range
 */
export async function* every(
  ms: number,
  signal: AbortSignal,
  { firstAfter = 0 }: { firstAfter?: number } = {},
): AsyncGenerator<void, void, void> {
  for (const [time, least] of [
    [ms, 1],
    [firstAfter, 0],
  ] as const) {
    if (!(time >= least && time <= LONGEST_TIMER_MS)) {
      throw new RangeError(`every() takes ${least} to ${LONGEST_TIMER_MS} milliseconds here, not ${time}`)
    }
  }
  if (firstAfter > 0) await sleep(firstAfter, undefined, { signal }).catch(ignoreAbort)
  while (!signal.aborted) {
    yield
    await sleep(ms, undefined, { signal }).catch(ignoreAbort)
  }
}

/**
 * A signal that is aborted after a time, or before that, when another one is. `AbortSignal.any([stop, AbortSignal.timeout(ms)])`
 * says the same, and in Node 20 it is never aborted once its garbage was collected: nothing else holds the timeout
 * (nodejs/node#57736).
 *
 * @param ms 1 to 2147483647. It keeps no program running.
 * @internal
 */
export function within(ms: number, stop: AbortSignal): AbortSignal {
  if (stop.aborted) return stop
  const ending = new AbortController()
  const end = (reason: unknown) => {
    clearTimeout(timer)
    stop.removeEventListener('abort', stopped)
    ending.abort(reason)
  }
  const stopped = () => end(stop.reason)
  const timer = setTimeout(
    () => end(new DOMException(`It took more than ${ms} ms.`, 'TimeoutError')),
    ms,
  ).unref()
  setMaxListeners(0, stop) // each that still counts listens: that is no leak
  stop.addEventListener('abort', stopped)
  return ending.signal
}

/** Where the end of this program is written. Each logger made by `createLogger` calls it: the last one wins. */
export function reportEndTo(logger: EndReport): void {
  report = logger
}

/** Stops the program when an error of the console says that nobody reads it any more. */
export function stopIfConsoleIsGone(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE' || error.code === 'EIO') requestStop()
}

function endWith(error: unknown): void {
  if (controller.signal.aborted && isAbort(error)) {
    leave(0)
    return
  }

  if (error instanceof OperationalError) {
    // Ctrl-C stops a node and its peer at the same moment, and the peer's end may be noticed before
    // this program's own signal: that gets one more turn of the event loop to arrive.
    setImmediate(() => setImmediate(() => endWithProblems(error.problems)))
    return
  }
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  if (report) {
    report.fatal(`A mistake in the program ended it: ${what} (its stack is in the log file, at level debug)`)
    report.debug({ err: error }, 'Where the mistake was')
  } else {
    console.error(`A mistake in the program ended it: ${error instanceof Error ? error.stack : what}`)
  }
  process.exit(1)
}

function endWithProblems(problems: readonly string[]): void {
  if (controller.signal.aborted) {
    leave(0)
    return
  }
  for (const problem of problems) writeFatal(problem)
  process.exit(1)
}

/**
 * Ends a program that was asked to stop. Node does not end while the system looks up the address of a name, which
 * takes many seconds where nobody answers, and cannot be called off. Then the program ends as by the
 * signal that it was sent, which a shell and systemd take for a good end as well.
 */
function leave(exitCode: number): void {
  if (!process.getActiveResourcesInfo().includes('GetAddrInfoReqWrap')) process.exit(exitCode)
  process.emit('exit', exitCode)
  process.removeAllListeners(stoppedBy)
  process.kill(process.pid, stoppedBy)
}

function sayStopped(exitCode: number): void {
  if (controller.signal.aborted && exitCode === 0) report?.info('Stopped')
}

/** At its end Node puts its terminals back as it found them, and aborts, with a core dump, where one was closed meanwhile. */
function letGoOfTerminals(): void {
  for (const descriptor of terminals) {
    if (isatty(descriptor)) continue
    closeSync(descriptor)
    openSync(devNull, 'r+') // gets the number that has become free
  }
}

function writeFatal(line: string): void {
  if (report) report.fatal(line)
  else console.error(line)
}

function ignoreAbort(error: unknown): void {
  if (!isAbort(error)) throw error
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
