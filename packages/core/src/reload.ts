/**
 * A configuration that is read again while the program runs: SIGHUP asks for it. It is checked as at the start, and holds as
 * a whole, or not at all.
 *
 * @since 0.23.0
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import * as v from 'valibot'
import { askHealth, type Health } from './health.ts'
import { OperationalError, stopRequest, takeHangUp } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { ServiceManager } from './service-manager.ts'

/** How long a reload may take, in ms, unless told otherwise, and how often is looked what has come of it. */
const DEFAULT_RELOAD_TIMEOUT_MS = 30_000
const RELOAD_LOOK_MS = 50

const toldReloads = v.object({ count: v.number(), problems: v.array(v.string()) })

export interface ReloadOptions<Config extends object> {
  log: Logger
  /** The configuration that holds now. */
  config: Config
  /**
   * Reads and checks it again, as at the start.
   *
   * @throws OperationalError with what is wrong
   */
  read: () => Config | Promise<Config>
  /** The keys of it that {@link apply} can put to work. Another one that has changed takes a restart. */
  live: readonly (keyof Config & string)[]
  /** Puts it to work, in one turn. It is called with what has changed. What it throws is a mistake. */
  apply: (config: Config) => void
  /** After its abort nothing is read any more. Default: the stop signal of this program. */
  stop?: AbortSignal
}

/** What has come of the last reload, for who asks how the program does. */
export interface Reloads {
  /** How often it was asked for, and something has come of it. */
  readonly count: number
  /** When it was the last time, as ISO 8601 has it. */
  readonly at: string | undefined
  /** Why the last one was refused, a line for each problem. None: it holds. */
  readonly problems: readonly string[]
}

/**
 * From now on SIGHUP reads the configuration of this program again. (A program whose terminal was closed stops by it, as
 * before.) Nothing happens to connections.
 *
 * | What was read | What comes of it |
 * | --- | --- |
 * | is wrong, or cannot be read | a line for each problem; what held before holds |
 * | has changed where only a start can put it to work | a line that names these keys; what held before holds, all of it |
 * | has changed elsewhere | holds; a line that says which keys |
 * | is the same | a line that says so |
 *
 * A line calls a key what the file does: `full_from`.
 *
 * One reload comes after the other: what asks for it while one is at work, however often, gets one more. systemd is told
 * when one begins and ends.
 */
export function onReload<Config extends object>(options: ReloadOptions<Config>): Reloads {
  const { log, read, live, apply, stop = stopRequest } = options
  const manager = new ServiceManager({ log, stop, tellsWatchdog: false })
  const state = { count: 0, at: undefined as string | undefined, problems: [] as string[] }
  let holds = options.config
  let isAtWork = false
  let isWanted = false

  takeHangUp(() => {
    isWanted = true
    if (!isAtWork) void reloadAll()
  })

  async function reloadAll(): Promise<void> {
    isAtWork = true
    manager.reloading()
    while (isWanted && !stop.aborted) {
      isWanted = false
      await reload()
    }
    manager.reloaded()
    isAtWork = false
  }

  async function reload(): Promise<void> {
    try {
      const config = await read()
      if (stop.aborted) return
      const changed = changedKeys(holds, config)
      const fixed = changed.filter((key) => !(live as readonly string[]).includes(key))
      if (fixed.length > 0)
        throw new OperationalError(
          `Of what has changed, ${inFile(fixed)} can only hold from a start on: restart this program.`,
        )
      if (changed.length > 0) apply(config)
      holds = config
      state.problems = []
      log.info(changed.length > 0 ? `Reloaded. Changed: ${inFile(changed)}` : 'Reloaded. Nothing has changed')
    } catch (error) {
      refuse(error)
    }
    state.at = new Date().toISOString()
    state.count += 1
  }

  function refuse(error: unknown): void {
    if (error instanceof OperationalError) state.problems = [...error.problems]
    else {
      state.problems = [`A mistake in the program: ${error}`]
      log.debug({ err: error }, 'Where the mistake was')
    }
    for (const problem of state.problems) log.error(problem)
    log.error('Not reloaded. What held before still holds')
  }

  return state
}

/**
 * Lets a program of this machine read its configuration again, and waits for what comes of it. The program has to tell how it
 * does, with what {@link onReload} returns as `reloads` in it.
 *
 * @param program what it is called: `primary`
 * @param options `folder`: that of its socket, as `askHealth` takes it. `timeoutMs`: how long it may take, in ms; default: 30,000
 * @throws OperationalError when the configuration was refused, with why; when the program does not run, does not tell of
 *   reloads, or takes too long
 */
export async function askForReload(
  program: string,
  { timeoutMs = DEFAULT_RELOAD_TIMEOUT_MS, ...options }: { folder?: string; timeoutMs?: number } = {},
): Promise<void> {
  const until = performance.now() + timeoutMs
  const { health } = await askHealth(program, options)
  const { pid } = health
  const before = reloadsIn(health)
  if (before === undefined || typeof pid !== 'number')
    throw new OperationalError(`${program} cannot be asked to reload. ${health.status}`)
  process.kill(pid, 'SIGHUP')
  while (performance.now() < until) {
    await sleep(RELOAD_LOOK_MS)
    const now = reloadsIn((await askHealth(program, options)).health)
    if (now === undefined) throw new OperationalError(`${program} has ended while it was to reload.`)
    if (now.count === before.count) continue
    if (now.problems.length > 0) throw new OperationalError(now.problems)
    return
  }
  throw new OperationalError(`${program} has not reloaded in ${timeoutMs / 1_000} s.`)
}

function reloadsIn({ reloads }: Health): Pick<Reloads, 'count' | 'problems'> | undefined {
  const parsed = v.safeParse(toldReloads, reloads)
  return parsed.success ? parsed.output : undefined
}

/** What these keys are called where they are written: `full_from`. */
function inFile(keys: readonly string[]): string {
  return keys.map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)).join(', ')
}

/** The keys of two configurations under which they say otherwise. */
export function changedKeys(before: object, after: object): string[] {
  const [old, now] = [before, after] as Record<string, unknown>[]
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].filter((key) => !isDeepStrictEqual(old?.[key], now?.[key]))
}
