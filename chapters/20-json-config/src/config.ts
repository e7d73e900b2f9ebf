import { anyText, bindAddress, host, orNothing, port, wholeNumber } from '@rpi-cluster/core/config'
import { Names } from '@rpi-cluster/core/names'

export const primaryConfig = {
  section: 'primary',
  formerSection: 'master',
  keys: {
    socket_port: port,
    socket_bind_ip: bindAddress,
    raw_days: wholeNumber(1, 30),
    five_minutes_days: wholeNumber(1, 3_650),
    hours_days: wholeNumber(1, 36_500),
    influxdb_host: orNothing(host),
    influxdb_port: port,
    influxdb_database_prefix: anyText,
    influxdb_user: anyText,
    influxdb_password: anyText,
  },
  // A file of the chapter before has none of these.
  defaults: {
    raw_days: '1',
    five_minutes_days: '30',
    hours_days: '730',
    influxdb_host: '',
    influxdb_port: '8086',
    influxdb_database_prefix: 'rpi_cluster_',
    influxdb_user: 'root',
    influxdb_password: 'root',
  },
}

export const secondaryConfig = {
  section: 'secondary',
  formerSection: 'slave',
  keys: { socket_port: port, primary_ip: host, led: anyText, vitals_seconds: wholeNumber(1, 86_400) },
  formerKeys: { primary_ip: 'master_ip' },
  // A file of an earlier chapter has not all of them.
  defaults: { led: '/sys/class/leds/ACT', vitals_seconds: '60' },
}

export const webserverConfig = {
  section: 'webserver',
  keys: { webserver_port: port, webserver_host: host },
}

/** What is called otherwise on the wire, too. */
export const names = new Names('primary', {
  master_info: 'primary_info',
  slave_details: 'secondary_details',
  computer_details: 'node_baseinfo',
})
