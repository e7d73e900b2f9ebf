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

/** When the primary raises an alarm, and when that is over. */
export const rules: Record<string, AlarmRule> = {
  cpu_temperature: { says: 'hot', from: 80, until: 75, unit: '°C' },
  disk_used: { says: 'full', from: 90, until: 85, unit: '%' },
}
