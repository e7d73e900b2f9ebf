/**
 * What a machine is, and how it does: its base info, which stays, and its vitals, which change.
 *
 * @since 0.17.0
 */
import { readdir, readFile } from 'node:fs/promises'
import { availableParallelism, cpus, freemem, hostname, totalmem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { JsonText } from './frames.ts'
import { stopRequest } from './lifecycle.ts'
import { processorName } from './machine.ts'

/** How long the processor is watched to say how busy it is, in ms: as long as the original does. */
const CPU_SAMPLE_MS = 1_000

/** Where Linux tells of memory, and of the frequencies of its processors: the second of these only on some machines. */
const MEMORY_FILE = '/proc/meminfo'
const PROCESSORS_FOLDER = '/sys/devices/system/cpu'
const PROCESSORS_FILE = '/proc/cpuinfo'

/** The vitals that are whole numbers, of bytes. All others have a fraction on the wire, if by `.0`. */
const WHOLE = new Set(['ram_free', 'swap_free'])

/** The name of the processor, which stays the same: it is looked up once, however many ask. */
let thisProcessor: Promise<string> | undefined

/** What stays as it is while a machine runs, in the words of the wire. */
export interface BaseInfo {
  hostname: string
  /** The memory that the system has, in bytes. */
  ram: number
  /** Its swap space, in bytes. */
  swap: number
  /** The name of the processor. */
  cpu: string
  /** How many cores this process can use. */
  cpu_cores: number
  /** The frequencies between which the processor runs, in MHz; 0 where nobody tells. */
  cpu_frequency_max: number
  cpu_frequency_min: number
}

/** How a machine does, in the words of the wire. What nobody tells is 0: the original's primary needs all four. */
export interface Vitals {
  /** How busy the processor is, all its cores together, over a second: 0 to 100. */
  cpu_percentage: number
  /** The frequency that it runs at, all its cores together, in MHz. */
  cpu_frequency: number
  /**
   * The memory that programs could have, in bytes: what is free, and what only keeps files at hand. (What is free alone is
   * next to nothing on any Linux that has run for a day.)
   */
  ram_free: number
  /** What is free of the swap space, in bytes. */
  swap_free: number
}

/** The base info of this machine. What cannot be read is 0. */
export async function baseInfo(): Promise<BaseInfo> {
  thisProcessor ??= processorName()
  const [{ swapTotal }, max, min] = await Promise.all([
    memory(),
    meanFrequency('scaling_max_freq'),
    meanFrequency('scaling_min_freq'),
  ])
  return {
    hostname: hostname(),
    ram: totalmem(),
    swap: swapTotal,
    cpu: await thisProcessor,
    cpu_cores: availableParallelism(),
    cpu_frequency_max: max ?? 0,
    cpu_frequency_min: min ?? 0,
  }
}

/**
 * The vitals of this machine. It takes a second, to see how busy the processor is. What cannot be read is 0.
 *
 * @param options `stop`: what ends the look. Default: the stop signal of this program.
 * @throws an AbortError when `stop` is aborted first
 */
export async function takeVitals({ stop = stopRequest }: { stop?: AbortSignal } = {}): Promise<Vitals> {
  const before = cpuTimes()
  await sleep(CPU_SAMPLE_MS, undefined, { signal: stop })
  const after = cpuTimes()
  const [{ available, swapFree }, frequency] = await Promise.all([memory(), currentFrequency()])
  return {
    cpu_percentage: percentBusy(before, after),
    cpu_frequency: frequency,
    ram_free: available,
    swap_free: swapFree,
  }
}

/**
 * Vitals as JSON in which 1500 MHz are `1500.0`, and bytes whole. To JavaScript that is the same; Python takes the one for a
 * float, the other for an int, and writes them into a database that has to have one of them.
 *
 * @param values those, and others. One that is no finite number is left out.
 */
export function vitalsJson(values: Readonly<Record<string, number>> | Vitals): JsonText {
  const pairs = Object.entries(values)
    .filter(([, value]) => Number.isFinite(value))
    .map(
      ([key, value]) => `${JSON.stringify(key)}:${WHOLE.has(key) ? Math.round(value) : withFraction(value)}`,
    )
  return new JsonText(`{${pairs.join(',')}}`)
}

function withFraction(value: number): string {
  const text = String(value)
  return /[.e]/.test(text) ? text : `${text}.0`
}

interface Memory {
  available: number
  swapTotal: number
  swapFree: number
}

/** The memory of this machine, in bytes. Of swap space only Linux tells. */
async function memory(): Promise<Memory> {
  const text = await readFile(MEMORY_FILE, 'utf8').catch(() => '')
  const bytes = (name: string) => {
    const kibibytes = new RegExp(`^${name}: *(\\d+) kB$`, 'm').exec(text)?.[1]
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
  }
  return {
    available: bytes('MemAvailable') ?? freemem(),
    swapTotal: bytes('SwapTotal') ?? 0,
    swapFree: bytes('SwapFree') ?? 0,
  }
}

/** The frequency that the processors run at now, in MHz. A virtual machine's cannot be set, and stands elsewhere. */
async function currentFrequency(): Promise<number> {
  const settable = await meanFrequency('scaling_cur_freq')
  if (settable !== undefined) return settable
  const text = await readFile(PROCESSORS_FILE, 'utf8').catch(() => '')
  const told = [...text.matchAll(/^cpu MHz\s*: (\d+(?:\.\d+)?)$/gm)].map(([, megahertz]) => Number(megahertz))
  return mean(told) ?? mean(cpus().map(({ speed }) => speed)) ?? 0
}

/** The mean of a frequency over all processors that tell it, in MHz; undefined where none does. */
async function meanFrequency(file: string): Promise<number | undefined> {
  const names = await readdir(PROCESSORS_FOLDER).catch(() => [])
  const texts = await Promise.all(
    names
      .filter((name) => /^cpu\d+$/.test(name))
      .map((name) => readFile(`${PROCESSORS_FOLDER}/${name}/cpufreq/${file}`, 'utf8').catch(() => '')),
  )
  const kilohertz = texts.filter((text) => /^\d+\s*$/.test(text)).map(Number)
  const all = mean(kilohertz)
  return all === undefined ? undefined : all / 1000
}

function mean(numbers: readonly number[]): number | undefined {
  return numbers.length === 0 ? undefined : numbers.reduce((sum, one) => sum + one, 0) / numbers.length
}

interface CpuTimes {
  idle: number
  total: number
}

/** The time that all cores together have spent since the system started, in ms. */
function cpuTimes(): CpuTimes {
  const times = cpus().map((core) => core.times)
  return {
    idle: times.reduce((sum, time) => sum + time.idle, 0),
    total: times.reduce((sum, time) => sum + time.user + time.nice + time.sys + time.idle + time.irq, 0),
  }
}

/** The share of time that the cores were not idle, in percent with one decimal. */
function percentBusy(before: CpuTimes, after: CpuTimes): number {
  const total = after.total - before.total
  if (total <= 0) return 0
  const share = (total - (after.idle - before.idle)) / total
  return Math.round(1000 * Math.min(1, Math.max(0, share))) / 10
}
