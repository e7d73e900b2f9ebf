import {
  bindAddress,
  defineConfig,
  host,
  listOf,
  orNothing,
  port,
  secret,
  text,
  wholeNumber,
} from '@rpi-cluster/core/json-config'
import { Names } from '@rpi-cluster/core/names'

/** What rpicluster.json may have. Its JSON Schema is made of it: `pnpm sync`. */
export const config = defineConfig({
  primary: {
    description: 'The node that the others connect to.',
    formerly: 'master',
    keys: {
      socket_port: {
        schema: port,
        description: 'The port to listen on. From 1024 on it needs no special rights.',
      },
      socket_bind_ip: { schema: bindAddress, description: 'The address to listen on. "": every interface.' },
      keys: { schema: text, default: 'keys', description: 'The folder of the keys, a file for each node.' },
      nodes: {
        schema: listOf(text),
        default: ['secondary-1', 'secondary-2', 'secondary-3', 'webserver', 'everyone'],
        description: 'Who is given a key when there is no such folder yet.',
      },
      askers: {
        schema: listOf(text),
        default: ['everyone'],
        description: 'Who may ask nodes for tasks.',
      },
      hot_from: { schema: wholeNumber(30, 120), default: 80, description: 'From when a node is hot, in °C.' },
      full_from: {
        schema: wholeNumber(5, 100),
        default: 90,
        description: 'From when its disk is full, in %.',
      },
      raw_days: {
        schema: wholeNumber(1, 30),
        default: 1,
        description: 'How long vitals are kept as they came.',
      },
      five_minutes_days: {
        schema: wholeNumber(1, 3_650),
        default: 30,
        description: 'And those of five minutes.',
      },
      hours_days: { schema: wholeNumber(1, 36_500), default: 730, description: 'And those of an hour.' },
      influxdb_host: { schema: orNothing(host), default: null, description: 'An InfluxDB 1.x. null: none.' },
      influxdb_port: { schema: port, default: 8086, description: 'Its port.' },
      influxdb_database_prefix: {
        schema: text,
        default: 'rpi_cluster_',
        description: 'How its databases begin.',
      },
      influxdb_user: { schema: text, default: 'root', description: 'Who writes there.' },
      influxdb_password: { schema: secret(text), default: 'root', description: 'And proves it so.' },
    },
  },
  secondary: {
    description: 'A node that connects to the primary.',
    formerly: 'slave',
    keys: {
      socket_port: { schema: port, description: "The primary's port." },
      primary_ip: { schema: host, formerly: 'master_ip', description: "The primary's name or address." },
      key: {
        schema: text,
        default: 'keys/secondary-*.key',
        description: 'Its key file. *: the first that is free.',
      },
      led: { schema: text, default: '/sys/class/leds/ACT', description: 'Its LED: a folder of Linux.' },
      vitals_seconds: { schema: wholeNumber(1, 86_400), default: 60, description: 'How often it measures.' },
      tasks: {
        schema: listOf(text),
        default: ['node-time', 'code-revision', 'revision-time'],
        description: 'The tasks that the primary may have done here.',
      },
    },
  },
  webserver: {
    description: 'What shows the cluster on a page. It connects as a secondary does.',
    keys: {
      key: { schema: text, default: 'keys/webserver.key', description: 'Its key file.' },
      webserver_port: { schema: port, description: 'The port of its page.' },
      webserver_host: { schema: host, description: 'The address to serve it on. 0.0.0.0: every one.' },
    },
  },
  everyone: {
    description: 'What gives a command to all.',
    keys: { key: { schema: text, default: 'keys/everyone.key', description: 'Its key file.' } },
  },
})

/** What is called otherwise on the wire, too. */
export const names = new Names('primary', {
  master_info: 'primary_info',
  slave_details: 'secondary_details',
  computer_details: 'node_baseinfo',
})
