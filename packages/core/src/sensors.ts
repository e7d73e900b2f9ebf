/**
 * More vitals than every machine has: sensors that are plugged in, and alarms for what they say.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.18.0
 */

// When somebody should know at once.
export { type AlarmRow, type AlarmRule, Alarms, type AlarmsOptions, alarmRow } from './alarms.ts'
// The sensor that most machines have.
export { type CpuTemperatureOptions, cpuTemperature } from './cpu-temperature.ts'
// What a sensor is, and reading them all.
export { type Sensor, type SensorDescription, Sensors, type SensorsOptions } from './sensor-readings.ts'
