/** The shape of a configuration that has something of everything. */
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
  trueOrFalse,
  wholeNumber,
} from '../src/json-config.ts'

export const config = defineConfig({
  hub: {
    description: 'The node that others connect to.',
    formerly: 'boss',
    keys: {
      socket_port: { schema: port, description: 'The port to listen on.' },
      socket_bind_ip: { schema: bindAddress, description: 'The address to listen on.', default: '127.0.0.1' },
      raw_days: { schema: wholeNumber(1, 30), description: 'How many days are kept.', default: 1 },
      other_host: {
        schema: orNothing(host),
        description: 'Another machine.',
        default: null,
        formerly: 'second',
      },
      password: { schema: secret(text), description: 'Who knows it is let in.', default: 'guest' },
      friends: { schema: listOf(host), description: 'Who is let in.', default: [] },
      level: { schema: oneOf('calm', 'loud'), description: 'How it speaks.', default: 'calm' },
      open: { schema: trueOrFalse, description: 'Whether it is open.', default: false },
    },
  },
  leaf: {
    description: 'A node that connects.',
    keys: {
      socket_port: { schema: port, description: 'The port of the hub.' },
      hub_ip: { schema: host, description: 'The address of the hub.', formerly: 'boss_ip' },
    },
  },
})
