/**
 * How hot the processor is. Linux says it in a file, and the firmware of a Pi by a command; many machines, and nearly all that are
 * no real ones, do not know.
 *
 * @since 0.18.0
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SubprocessError } from 'nano-spawn'
import { type Command, runCommand } from './commands.ts'
import type { Sensor } from './sensor-readings.ts'

/** Where Linux has its thermal zones: kernel.org, "Generic Thermal Sysfs driver". */
const THERMAL_ZONES = '/sys/class/thermal'

/** What zones of a processor are called: on a Pi, on a PC, on AMD, on other boards. */
const PROCESSOR_ZONE = /^(cpu[-_]?thermal|x86_pkg_temp|k10temp|soc[-_]?thermal|cpu)/i

/** The firmware of a Pi answers: temp=48.3'C */
const MEASURE: Command = ['vcgencmd', 'measure_temp']

/** How long the firmware may take, in ms. */
const MEASURE_TIMEOUT_MS = 4_000

/** What a processor that runs can have, in °C. Drivers that know nothing say 0, or -273. */
const POSSIBLE = { least: 1, most: 150 }

export interface CpuTemperatureOptions {
  /** The folder of the zones. Default: that of Linux. */
  zones?: string
  /** The command that is asked where there is no zone. Default: that of a Pi. */
  command?: Command
}

/** The temperature of the processor, in °C: of its thermal zone, or else what the firmware of a Pi says. */
export function cpuTemperature({
  zones = THERMAL_ZONES,
  command = MEASURE,
}: CpuTemperatureOptions = {}): Sensor {
  return {
    vital: 'cpu_temperature',
    label: 'Temperature of the processor',
    unit: '°C',
    read: async (stop) => (await fromZones(zones)) ?? (await fromFirmware(command, stop)),
  }
}

/** The hottest of the processor's zones. */
async function fromZones(folder: string): Promise<number | undefined> {
  const names = await readdir(folder).catch(() => [])
  const found = await Promise.all(
    names
      .filter((name) => name.startsWith('thermal_zone'))
      .map(async (name) => {
        const [type, thousandths] = await Promise.all(
          ['type', 'temp'].map((file) => readFile(join(folder, name, file), 'utf8').catch(() => '')),
        )
        return PROCESSOR_ZONE.test(type ?? '')
          ? possible(Number.parseInt(thousandths ?? '', 10) / 1000)
          : undefined
      }),
  )
  const degrees = found.filter((value) => value !== undefined)
  return degrees.length > 0 ? Math.max(...degrees) : undefined
}

/**
 * What a Pi's firmware says. Where there is no such command, this is no Pi.
 *
 * @throws OperationalError when it is there, and fails
 */
async function fromFirmware(command: Command, stop: AbortSignal): Promise<number | undefined> {
  try {
    const output = await runCommand(command, { folder: '/', timeoutMs: MEASURE_TIMEOUT_MS, stop })
    return possible(Number.parseFloat(/temp=(-?[\d.]+)/.exec(output)?.[1] ?? ''))
  } catch (error) {
    if (isNotThere(error)) return undefined
    throw error
  }
}

/** Whether there is no such command. */
function isNotThere(error: unknown): boolean {
  const failed = error instanceof Error ? error.cause : undefined
  return failed instanceof SubprocessError && (failed.cause as NodeJS.ErrnoException)?.code === 'ENOENT'
}

function possible(degrees: number): number | undefined {
  return degrees >= POSSIBLE.least && degrees <= POSSIBLE.most ? degrees : undefined
}
