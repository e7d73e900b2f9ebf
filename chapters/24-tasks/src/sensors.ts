import { statfs } from 'node:fs/promises'
import { type AlarmRule, cpuTemperature, type Sensor } from '@rpi-cluster/core/sensors'

/** How full the file system is that this program lies on. */
const diskUsed: Sensor = {
  vital: 'disk_used',
  label: 'Disk in use',
  unit: '%',
  async read() {
    const { blocks, bfree, bavail } = await statfs('.')
    const used = blocks - bfree
    return (100 * used) / (used + bavail) // as df has it: some is kept for root
  },
}

/** What a secondary measures beside what each has. Write yours, and put it here. */
export const all: Sensor[] = [cpuTemperature(), diskUsed]

/** When the primary raises an alarm, and when that is over: some way below, so that a value that sways raises one. */
export const rules: Record<string, AlarmRule> = {}

/** Puts these limits to work, from the next look on. */
export function setLimits({ hotFrom, fullFrom }: { hotFrom: number; fullFrom: number }) {
  rules['cpu_temperature'] = { says: 'hot', from: hotFrom, until: hotFrom - 5, unit: '°C' }
  rules['disk_used'] = { says: 'full', from: fullFrom, until: fullFrom - 5, unit: '%' }
}
