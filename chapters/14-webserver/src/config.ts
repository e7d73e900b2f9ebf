import { bindAddress, host, port } from '@rpi-cluster/core/config'

export const masterConfig = {
  section: 'master',
  keys: { socket_port: port, socket_bind_ip: bindAddress },
}

export const slaveConfig = {
  section: 'slave',
  keys: { socket_port: port, master_ip: host },
}

export const webserverConfig = {
  section: 'webserver',
  keys: { webserver_port: port, webserver_host: host },
}
