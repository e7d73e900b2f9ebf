import { anyText, bindAddress, host, port } from '@rpi-cluster/core/config'
import { Names } from '@rpi-cluster/core/names'

export const primaryConfig = {
  section: 'primary',
  formerSection: 'master',
  keys: { socket_port: port, socket_bind_ip: bindAddress },
}

export const secondaryConfig = {
  section: 'secondary',
  formerSection: 'slave',
  keys: { socket_port: port, primary_ip: host, led: anyText },
  formerKeys: { primary_ip: 'master_ip' },
  // A file of the chapter before has none.
  defaults: { led: '/sys/class/leds/ACT' },
}

/** What is called otherwise on the wire, too. */
export const names = new Names('primary', {
  master_info: 'primary_info',
  slave_details: 'secondary_details',
  computer_details: 'node_baseinfo',
})
