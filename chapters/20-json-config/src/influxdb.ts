/** Vitals in an InfluxDB 1.x, too, under the names of the original: whoever draws them from there goes on. */
import { deliver } from '@rpi-cluster/core/deliver'
import type { Logger } from '@rpi-cluster/core/logging'
import type { Outbox } from '@rpi-cluster/core/store'
import type { NodeSample } from '@rpi-cluster/core/vitals'

export interface InfluxOptions {
  influxdbHost: string | undefined
  influxdbPort: number
  influxdbDatabasePrefix: string
  influxdbUser: string
  influxdbPassword: string
  /** Where they wait while InfluxDB is away. */
  outbox: Outbox
  log: Logger
  stop: AbortSignal
}

const WHAT_TO_DO =
  'If somebody else writes the same fields as other types, give this cluster another influxdb_database_prefix.'

/** What takes vitals to InfluxDB; nothing, where the configuration names none. */
export function influxWriter(options: InfluxOptions): ((sample: NodeSample) => void) | undefined {
  const { influxdbHost: host, influxdbPort: port, outbox, log, stop } = options
  if (host === undefined) return undefined
  const site = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  const database = `${options.influxdbDatabasePrefix}node_vitals`
  const user = Buffer.from(`${options.influxdbUser}:${options.influxdbPassword}`)
  const authorization = `Basic ${user.toString('base64')}`

  async function send(texts: string[], signal: AbortSignal): Promise<void> {
    const post = (path: string, query: Record<string, string>, body = '') => {
      const url = `${site}${path}?${new URLSearchParams(query)}`
      return fetch(url, { method: 'POST', body, signal, headers: { authorization } })
    }
    const write = () => post('/write', { db: database, precision: 's' }, texts.join('\n'))
    let response = await write()
    if (response.status === 404) {
      // Its answer begins after the first statement, and what is written before the second is done goes elsewhere.
      await (await post('/query', { q: creationOf(database) })).text()
      response = await write()
    }
    const text = (await response.text()).trim()
    // Some points are wrong, and will never be right; the others are written.
    if (response.status === 400) log.warn(`InfluxDB refuses some vitals for good: ${text}. ${WHAT_TO_DO}`)
    else if (!response.ok) throw new Error(`${response.status} ${text}`)
  }

  void deliver({ to: `InfluxDB at ${site}`, outbox, send, log, stop })
  return (sample) => outbox.add(linesOf(sample))
}

/** As the original makes it: a year is kept. */
function creationOf(database: string): string {
  const policy = `"node_vitals_year_rp" ON "${database}" DURATION 365d REPLICATION 3 DEFAULT`
  return `CREATE DATABASE "${database}"; CREATE RETENTION POLICY ${policy}`
}

/** Vitals in InfluxDB's line protocol. A number alone is a float there, and one with an `i` an integer. */
function linesOf({ hostname, at, values }: NodeSample): string {
  const node = hostname.replace(/[^\p{L}\p{N}._-]/gu, '?')
  const float = (field: string, vital: string) => (vital in values ? [`${field}=${values[vital]}`] : [])
  const whole = (field: string, vital: string) =>
    float(field, vital).map((one) => `${one.replace(/\..*/, '')}i`)
  const measurements = {
    cpu: [
      ...float('frequency', 'cpu_frequency'),
      ...float('percentage', 'cpu_percentage'),
      ...float('temperature', 'cpu_temperature'),
    ],
    ram: whole('free', 'ram_free'),
    swap: whole('free', 'swap_free'),
  }
  return Object.entries(measurements)
    .filter(([, fields]) => fields.length > 0)
    .map(([name, fields]) => `${name},node=${node} ${fields.join(',')} ${Math.floor(at)}`)
    .join('\n')
}
