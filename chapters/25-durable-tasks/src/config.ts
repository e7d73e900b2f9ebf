import {
  bindAddress,
  defineConfig,
  host,
  listOf,
  orNothing,
  port,
  text,
  wholeNumber,
} from '@rpi-cluster/core/json-config'

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
        default: ['secondary-1', 'secondary-2', 'secondary-3', 'secondary-4', 'webserver', 'submitter'],
        description: 'Who is given a key when there is no such folder yet.',
      },
      submitters: {
        schema: listOf(text),
        default: ['submitter', 'webserver'],
        description: 'Who may hand in work.',
      },
      most_waiting: {
        schema: wholeNumber(1, 1_000_000),
        default: 100_000,
        description: 'How many tasks may wait. Who hands in more has to wait, too.',
      },
      attempts: {
        schema: wholeNumber(1, 100),
        default: 3,
        description: 'How often a task is tried that fails.',
      },
      history_days: {
        schema: wholeNumber(1, 3_650),
        default: 30,
        description: 'For how many days is kept what has ended.',
      },
      history_mb: {
        schema: wholeNumber(10, 1_000_000),
        default: 300,
        description: 'How much of that is kept at most, in MB.',
      },
    },
  },
  secondary: {
    description: 'A node that connects to the primary, and does tasks.',
    formerly: 'slave',
    keys: {
      socket_port: { schema: port, description: "The primary's port." },
      primary_ip: { schema: host, formerly: 'master_ip', description: "The primary's name or address." },
      key: {
        schema: text,
        default: 'keys/secondary-*.key',
        description: 'Its key file. *: the first that is free.',
      },
      slots: {
        schema: orNothing(wholeNumber(1, 256)),
        default: null,
        description: 'How many tasks it does at once. null: as many as it has cores.',
      },
      memory_mb: {
        schema: orNothing(wholeNumber(16, 1_000_000)),
        default: null,
        description: 'How much memory its tasks may take together, in MB. null: half of what it has.',
      },
      has: {
        schema: listOf(text),
        default: [],
        description: 'What it has that tasks may require, such as "camera".',
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
  submitter: {
    description: 'Who hands in work.',
    keys: { key: { schema: text, default: 'keys/submitter.key', description: 'Its key file.' } },
  },
})
