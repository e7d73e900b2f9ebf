import { members } from '@rpi-cluster/core/election'
import {
  bindAddress,
  defineConfig,
  host,
  listOf,
  oneOf,
  orNothing,
  port,
  secret,
  text,
  wholeNumber,
} from '@rpi-cluster/core/json-config'

/** What rpicluster.json may have. Its JSON Schema is made of it: `pnpm sync`. */
export const config = defineConfig({
  cluster: {
    description: 'What all nodes have to agree on.',
    keys: {
      members: {
        schema: members,
        description: 'All nodes that may be members, by the names of their keys: where each is reached.',
      },
      founders: {
        schema: listOf(text),
        among: 'members',
        default: ['node-1', 'node-2', 'node-3'],
        description: 'Those of them who begin the cluster. The others come when they are added.',
      },
      election_ms: {
        schema: wholeNumber(50, 60_000),
        default: 1_000,
        description:
          'After how long without a leader a node asks for votes, in ms: at random between this and twice this.',
      },
      heartbeat_ms: {
        schema: wholeNumber(10, 10_000),
        default: 100,
        description: 'How often a leader says that it is there, in ms.',
      },
      queue: {
        schema: oneOf('own', 'nats'),
        default: 'own',
        description: 'What keeps the tasks: the own queue, or NATS JetStream.',
      },
      leader: {
        schema: oneOf('own', 'etcd'),
        default: 'own',
        description: 'What decides who leads: the own election, or etcd.',
      },
    },
  },
  engines: {
    description: 'NATS and etcd, where they are chosen: the same on each node.',
    keys: {
      host: {
        schema: host,
        default: '127.0.0.1',
        description: 'Where they are, and listen if they are started here.',
      },
      nats_port: { schema: port, default: 12361, description: 'The port of NATS.' },
      nats_token: {
        schema: orNothing(secret(text)),
        default: null,
        description:
          'What proves to NATS that a node may come. null: what "engines" has made, in the state folder.',
      },
      nats_mb: {
        schema: wholeNumber(1, 1_000_000),
        default: 1_024,
        description: 'How much NATS may keep, in MB.',
      },
      lease_seconds: {
        schema: wholeNumber(1, 3_600),
        default: 5,
        description: 'How long a node says nothing of a task of NATS before another one gets it, in seconds.',
      },
      etcd_port: { schema: port, default: 12362, description: 'The port of etcd.' },
      etcd_peer_port: {
        schema: port,
        default: 12363,
        description: 'The port of etcd for its own members, which nobody else needs.',
      },
    },
  },
  node: {
    description: 'A node, which elects, does tasks, and leads if it is elected.',
    keys: {
      bind_ip: { schema: bindAddress, description: 'The address to listen on. "": every interface.' },
      keys: { schema: text, default: 'keys', description: 'The folder of the keys, a file for each node.' },
      key: {
        schema: text,
        default: 'keys/node-*.key',
        description: 'Its key file, which says what it is called. *: the first that is free.',
      },
      nodes: {
        schema: listOf(text),
        default: ['node-1', 'node-2', 'node-3', 'node-4', 'node-5', 'webserver', 'submitter'],
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
    description: 'What shows the cluster on a page. It finds out who leads, and connects there.',
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
