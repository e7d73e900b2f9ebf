/**
 * What machine a program runs on, as a node tells others about itself.
 *
 * @since 0.6.0
 */
import { execFile } from 'node:child_process'
import { availableParallelism, cpus, hostname, totalmem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { stopRequest } from './lifecycle.ts'

/** How long the processor is watched to say how busy it is, in ms. Linux counts its time in steps of 10 ms. */
const CPU_SAMPLE_MS = 200

/** How long `lscpu` may take, in ms. A busy Pi takes seconds to start a program. */
const LSCPU_TIMEOUT_MS = 10_000

const execute = promisify(execFile)

/** The name of the processor, which stays the same: it is looked up once, however many ask. */
let thisProcessor: Promise<string> | undefined

/** A machine, in the words of the wire. */
export interface MachineDetails {
  hostname: string
  /** How busy the processor is, all its cores together, over the last fifth of a second: 0 to 100. */
  cpu_percent_used: number
  /** The memory that the system has, in bytes. */
  ram: number
  /** The name of the processor. */
  cpu: string
  /** How many cores this process can use. */
  cpu_cores: number
}

/**
 * The details of this machine. It takes a fifth of a second, to see how busy the processor is, and longer
 * where the name of the processor has to be looked up for the first time, as on a Pi.
 *
 * @param options `stop`: what ends the look. Default: the stop signal of this program.
 * @throws an AbortError when `stop` is aborted first
 */
export async function machineDetails({
  stop = stopRequest,
}: {
  stop?: AbortSignal
} = {}): Promise<MachineDetails> {
  const busy = await cpuPercentUsed(stop)
  thisProcessor ??= processorName() // which takes a processor's time itself
  return {
    hostname: hostname(),
    cpu_percent_used: busy,
    ram: totalmem(),
    cpu: await unlessStopped(thisProcessor, stop),
    cpu_cores: availableParallelism(),
  }
}

/** The share of time that the cores were not idle while this looked, in percent with one decimal. */
async function cpuPercentUsed(stop: AbortSignal): Promise<number> {
  const before = cpuTimes()
  await sleep(CPU_SAMPLE_MS, undefined, { signal: stop })
  const after = cpuTimes()
  const total = after.total - before.total
  if (total === 0) return 0
  return Math.round((1000 * (total - (after.idle - before.idle))) / total) / 10
}

/** The time that all cores together have spent since the system started, in ms. */
function cpuTimes(): { idle: number; total: number } {
  const times = cpus().map((core) => core.times)
  return {
    idle: times.reduce((sum, time) => sum + time.idle, 0),
    total: times.reduce((sum, time) => sum + time.user + time.nice + time.sys + time.idle + time.irq, 0),
  }
}

/**
 * The name of the processor. Node knows it on most machines; on a Pi it says `unknown`, and `lscpu`, which belongs to
 * every Debian, knows it: `Cortex-A72`. Where neither does, it is `unknown`.
 *
 * @param known the name that Node knows
 */
export async function processorName(known: string | undefined = cpus()[0]?.model.trim()): Promise<string> {
  if (known && known !== 'unknown') return known
  try {
    const { stdout } = await execute('lscpu', {
      env: { ...process.env, LC_ALL: 'C' },
      timeout: LSCPU_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    })
    const name = /^ *Model name: *(?!-$)(\S.{0,198})/m.exec(stdout)?.[1]
    return name?.trim() ?? 'unknown'
  } catch {
    return 'unknown' // it is not there, it fails, or it takes too long
  }
}

/** What a promise brings, or the signal's reason as soon as it is aborted. What was begun goes on, and nobody waits for it. */
function unlessStopped<Value>(promise: Promise<Value>, stop: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(stop.reason)
    if (stop.aborted) giveUp()
    stop.addEventListener('abort', giveUp, { once: true })
    promise.then(resolve, reject).finally(() => stop.removeEventListener('abort', giveUp))
  })
}
