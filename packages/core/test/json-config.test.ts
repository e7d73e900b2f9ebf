import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { isIP } from 'node:net'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { inForce } from '../src/config-in-force.ts'
import { migratedText, secretNames } from '../src/config-migration.ts'
import { readConfigText } from '../src/config-text.ts'
import { members } from '../src/election-members.ts'
import {
  bindAddress,
  defineConfig,
  host,
  listOf,
  loadJsonConfig,
  orNothing,
  port,
  secret,
  text,
} from '../src/json-config.ts'
import { OperationalError } from '../src/lifecycle.ts'
import { BUILT_FIXTURES } from './built-fixtures.ts'
import { config } from './json-definition.ts'
import { recordingLog, start, tempFolder } from './support.ts'

const DEFAULTS = {
  socketBindIp: '127.0.0.1',
  rawDays: 1,
  otherHost: undefined,
  password: 'guest',
  friends: [],
  level: 'calm',
  open: false,
}

const ports = 'It takes a whole number from 1 to 65535.'

/** What a text gives, and what is said about it; `FILE` stands for its path. */
function read(text: string, environment: NodeJS.ProcessEnv = {}, sections: readonly string[] = ['hub']) {
  const file = readConfigText('FILE', text, secretNames(config))
  const { values, problems, warnings } = inForce(config, sections, file, environment)
  return { values: Object.fromEntries(values.map(({ key, output }) => [key, output])), problems, warnings }
}

describe('a JSON file', () => {
  test('gives values of the types of the program, and defaults for what it does not say', () => {
    const text =
      '{"hub": {"socket_port": 12345, "socket_bind_ip": "", "friends": ["a", "b.local"], "open": true}}'
    expect(load(text).values).toEqual({
      ...DEFAULTS,
      socketPort: 12345,
      socketBindIp: '0.0.0.0',
      friends: ['a', 'b.local'],
      open: true,
    })
  })

  test('may have comments, trailing commas, Windows line ends, a byte order mark, and other sections', () => {
    const text =
      '\uFEFF// one\r\n{\r\n  "$schema": "x", /* two\r\n */ "mine": 5,\r\n  "hub": { "socket_port": 1, // three\r\n  },\r\n}\r\n'
    expect(load(text)).toMatchObject({ values: { socketPort: 1 }, warnings: [] })
  })

  test('is told of all at once: where, what was found, what would be right', () => {
    const text = `{
  "hub": {
    "socket_port": "12345",
    "socket_bind_ip": 5,
    "raw_dys": 7,
    "raw_days": 99,
    "password": 77,
    "friends": ["a", "b c"],
    "level": ["x"],
    "other_host": {"a": 1},
  },
}`
    expect(read(text)).toMatchObject({
      problems: [
        `FILE:3:20 hub.socket_port is "12345". ${ports} Write 12345, without the quotation marks.`,
        'FILE:4:23 hub.socket_bind_ip is 5. It takes an IP address of this machine, or nothing at all ("") for every interface.',
        'FILE:6:17 hub.raw_days is 99. It takes a whole number from 1 to 30.',
        'FILE:10:19 hub.other_host is an object. It takes a host name or an IP address, such as 127.0.0.1, or nothing at all (null).',
        'FILE:7:17 hub.password is not right. It takes any text. (What it is, is a secret, and not shown.)',
        'FILE:8:22 hub.friends[1] is "b c". It takes a host name or an IP address, such as 127.0.0.1.',
        'FILE:9:14 hub.level is a list. It takes "calm" or "loud".',
      ],
      warnings: ['FILE:5:16 hub.raw_dys is not known here, and is ignored. Did you mean raw_days?'],
    })
  })

  test('a key that is missing and one that is nearly it are one mistake', () => {
    expect(read('{"hub": {\n  "socket_prt": 1\n}}')).toMatchObject({
      problems: [
        `FILE:1:2 hub.socket_port is missing. ${ports} socket_prt is there, at FILE:2:17: is that socket_port, misspelled?`,
      ],
      warnings: [],
    })
  })

  test.each([
    ['{"hbu": {"socket_port": 1}}', 'FILE has no section "hub". It has "hbu": is that "hub", misspelled?'],
    ['{"leaf": {}, "other": 1}', 'FILE has no section "hub". It has "leaf", "other".'],
    ['{}', 'FILE has no section "hub". It has no section at all.'],
    ['{"hub": 5}', 'FILE:1:2 hub is 5. It takes a section: { and }, and keys between.'],
    ['{"hub": ["socket_port"]}', 'FILE:1:2 hub is a list. It takes a section: { and }, and keys between.'],
    ['{"hub": {"socket_port": 1}, "hub": {}}', 'FILE:1:29 hub stands on line 1 already. Leave one of them.'],
    [
      '{"hub": {"socket_port": 1,\n"socket_port": 2}}',
      'FILE:2:1 hub.socket_port stands on line 1 already. Leave one of them.',
    ],
  ])('%s', (text, problem) => expect(read(text).problems).toEqual([problem]))

  test('what is no value is told of once', () => {
    expect(read('{"hub": {"open": True\n}}').problems).toEqual(['FILE:1:18 "True" is no value. Is it true?'])
  })

  test.each([
    ['// nothing else', 'FILE.json:1:1 The file is empty. It takes { and }, and sections between.'],
    ['5', 'FILE.json:1:1 The file is 5. It takes { and }, and sections between.'],
    ['["hub"]', 'FILE.json:1:1 The file is a list. It takes { and }, and sections between.'],
  ])('something else: %s', (text, problem) => {
    const file = readConfigText('FILE.json', text, [])
    expect(inForce(config, ['hub'], file, {}).problems).toEqual([problem])
  })

  test.each([
    ['{"hub": {"socket_port": 1\n"raw_days": 1}}', '1:26 A "," is missing after 1.'],
    ['{"hub": {"socket_port" 1}}', '1:23 A ":" is missing after "socket_port".'],
    ['{"hub": {"socket_port" = 1}}', '1:24 A "=" stands where JSON has a ":".'],
    ['{"hub": {socket_port: 1}}', '1:10 "socket_port" is a name without its double quotes.'],
    [`{'hub': {}}`, `1:2 'hub' begins with a single quote. JSON has double ones, "so".`],
    ['{"hub": {"open": True}}', '1:18 "True" is no value. Is it true?'],
    [
      '{"hub": {"level": calm}}',
      '1:19 "calm" is no value. A text stands in double quotes, and a number has nothing but digits.',
    ],
    ['{"hub": {"level": "calm}}', '1:19 "calm}} has no quotation mark at its end.'],
    [
      '{"hub": {"level": "C:\\pi"}}',
      '1:19 "C:\\pi" has a backslash that JSON does not know. Write two for one.',
    ],
    [
      '{"hub": {"socket_port": }}',
      '1:25 "}" stands where a value is expected, such as 1, "a text", true or null.',
    ],
    ['{"hub": {"socket_port": 1}', '1:27 A "}" is missing at the end of the file, for the "{" of line 1.'],
    ['{"hub": {"friends": ["a"}}', '1:25 A "]" is missing before "}", for the "[" of line 1.'],
    [
      '{"hub": {}} x',
      '1:13 "x" is no value. A text stands in double quotes, and a number has nothing but digits.',
    ],
    [
      '{"hub": {}} {}',
      '1:13 "{" stands behind the end of the configuration, which is one { } with everything in it.',
    ],
    ['{"hub": {} /* x', '1:12 A comment begins with "/*" here, and never ends: "*/" is missing.'],
    ['# x\n{"hub": {}}', '1:1 A comment begins with "//" in JSON, and not with "#".'],
    [
      `${'{"a":'.repeat(40)}`,
      '1:161 More than 32 brackets stand in each other here. Is it a configuration file?',
    ],
    [
      '{"hub": {"level": "\uFFFD"}}',
      '1:20 This is not UTF-8 text. Type the line anew, and save the file as UTF-8.',
    ],
  ])('a slip of the pen: %s', (text, problem) => expect(read(text).problems[0]).toBe(`FILE:${problem}`))

  test('what cannot be understood may hide a key, which is not called missing', () => {
    const text = '{"hub": {\n"socket_port": x\n"raw_days": 99\n"level": calm }'
    expect(read(text).problems.map((problem) => problem.slice(0, 10))).toEqual([
      'FILE:2:16 ',
      'FILE:3:11 ',
      'FILE:4:10 ',
      'FILE:3:1 h',
    ])
  })
})

describe('a list of names that another key has', () => {
  const cluster = defineConfig({
    cluster: {
      description: 'All of them.',
      keys: {
        members: { schema: members, description: 'Who they are.' },
        founders: { schema: listOf(text), among: 'members', default: ['a', 'b'], description: 'The first.' },
      },
    },
  })
  const two = (names: readonly string[]) =>
    JSON.stringify(
      Object.fromEntries(names.map((name, at) => [name, { host: 'h', port: 1 + at, leader_port: 9 }])),
    )

  /** What is said of a real file, which has the founders in its third line. */
  function told(founders: string, names = ['a', 'b'], environment: NodeJS.ProcessEnv = {}) {
    const path = join(tempFolder(), 'rpicluster.json')
    writeFileSync(path, `{"cluster": {\n  "members": ${two(names)}${founders}\n}}`)
    const file = readConfigText('FILE', readFileSync(path, 'utf8'), [])
    return inForce(cluster, ['cluster'], file, environment).problems
  }

  test.each([
    ['["a"]', []],
    ['["b", "a"]', []],
    ['[]', ['FILE:3:15 cluster.founders is []. It takes names of cluster.members, one at least.']],
    [
      '["a", "b", "a"]',
      [
        'FILE:3:26 cluster.founders[2] is "a", which is there already. It takes names of cluster.members, each once.',
      ],
    ],
    ['["a", "z"]', ['FILE:3:21 cluster.founders[1] is "z". It takes names of cluster.members: a, b.']],
  ])('%s', (founders, problems) => {
    expect(told(`,\n  "founders": ${founders}`)).toEqual(problems)
  })

  test('is told of where it is not in the file', () => {
    expect(told('')).toEqual([])
    expect(told('', ['a', 'c'])).toEqual([
      'FILE:2:14 cluster.members has no b, which cluster.founders has by default. Say cluster.founders as well.',
    ])
    expect(told('', ['a', 'c'], { RPI_CLUSTER_CLUSTER_FOUNDERS: 'a, c' })).toEqual([])
    expect(told('', ['a', 'c'], { RPI_CLUSTER_CLUSTER_FOUNDERS: 'a, b' })).toEqual([
      'The environment variable RPI_CLUSTER_CLUSTER_FOUNDERS is "b". It takes names of cluster.members: a, c.',
    ])
  })

  test('is not compared with what is wrong', () => {
    expect(told(',\n  "founders": ["z"]', ['a', '?'])).toEqual([
      expect.stringMatching(/^FILE:2:\d+ A name in cluster\.members is "\?"\./),
    ])
  })
})

describe('an INI file', () => {
  test('is read by the same shape, under names of before, too', () => {
    const text =
      '[boss]\nsocket_port = 12345\nsocket_bind_ip =\nsecond = pi\nfriends = a, b.local\nopen = yes\n[DEFAULT]\nlevel = loud\nfurther = 1\n'
    expect(read(text)).toEqual({
      values: {
        socket_port: 12345,
        socket_bind_ip: '0.0.0.0',
        raw_days: 1,
        other_host: 'pi',
        password: 'guest',
        friends: ['a', 'b.local'],
        level: 'loud',
        open: true,
      },
      problems: [],
      warnings: [
        'FILE:1 [boss] is called [hub] now. It is read as before; write [hub].',
        'FILE:4 [hub] second is called other_host now. It is read as before; write other_host.',
      ],
    })
  })

  test('is told of as before', () => {
    expect(read('[hub]\nsocket_port = 0\nraw_dys = 7\nopen = maybe\nlevel\n')).toMatchObject({
      problems: [
        'FILE:5 [hub] level has no value. Write "level = " and the value.',
        `FILE:2 [hub] socket_port is "0". ${ports}`,
        'FILE:4 [hub] open is "maybe". It takes true or false.',
      ],
    })
    expect(read('[hub]\nsocket_port = 1\nRaw_Dys = 7\n').warnings).toEqual([
      'FILE:3 [hub] Raw_Dys is not known here, and is ignored. Did you mean raw_days?',
    ])
  })
})

test.each([
  ['{', 'x', true],
  ['  // notes\n/* more\n */\n{"a": 1}', 'x.cfg', true],
  ['# INI has such\n{"a": 1}', 'x', true],
  ['"a": {}', 'x', true],
  ['; notes\n[a]\nx = 1', 'x.json', false],
  ['[ a ] ; why not', 'x.json', false],
  ['["a"]', 'x.json', true],
  ['x = 1', 'x', false],
  ['', 'x.jsonc', true],
  ['', 'x', false],
])('what kind of file it is shows in its text, and if not in its name: %j, %s', (text, path, isJson) => {
  expect(readConfigText(path, text, []).isJson).toBe(isJson)
})

describe('the environment', () => {
  const text = '{"hub": {"socket_port": "wrong"}}'

  test('stands above the file, and is text that stands for values', () => {
    const { values, problems } = read(text, {
      RPI_CLUSTER_HUB_SOCKET_PORT: '80',
      RPI_CLUSTER_HUB_FRIENDS: 'a, b',
      RPI_CLUSTER_HUB_OTHER_HOST: '',
      RPI_CLUSTER_HUB_OPEN: 'on',
    })
    expect(problems).toEqual([])
    expect(values).toMatchObject({ socket_port: 80, friends: ['a', 'b'], other_host: undefined, open: true })
  })

  test('is told of by the name of its variable; what is nearly one is a warning', () => {
    const environment = {
      RPI_CLUSTER_HUB_SOCKET_PORT: 'many',
      RPI_CLUSTER_HUB_FRIENDS: 'a,b c',
      RPI_CLUSTER_HUB_RAW_DYS: '1',
      RPI_CLUSTER_HBU_OPEN: 'yes',
      RPI_CLUSTER_HUB_SOMETHING_ELSE: '1',
      RPI_CLUSTER_LEAF_ANYTHING: '1',
      RPI_CLUSTER_HUB_PASSWORD: 'right',
      RPI_CLUSTER_HUB_PASSWORD_FILE: '/nowhere',
    }
    const found = read('{"hub": {}}', environment)
    expect(found.problems).toEqual([
      'The environment has both RPI_CLUSTER_HUB_PASSWORD and RPI_CLUSTER_HUB_PASSWORD_FILE. Leave one of them.',
      `The environment variable RPI_CLUSTER_HUB_SOCKET_PORT is "many". ${ports}`,
      'The environment variable RPI_CLUSTER_HUB_FRIENDS is "a,b c". It takes a list, and for each of it a host name or an IP address, such as 127.0.0.1.',
    ])
    expect(found.warnings).toEqual([
      'The environment variable RPI_CLUSTER_HUB_RAW_DYS is not known here, and is ignored. Did you mean RPI_CLUSTER_HUB_RAW_DAYS?',
      'The environment variable RPI_CLUSTER_HBU_OPEN is not known here, and is ignored. Did you mean RPI_CLUSTER_HUB_OPEN?',
      expect.stringMatching(
        /^The environment variable RPI_CLUSTER_HUB_SOMETHING_ELSE is not known here.* Known here: RPI_/,
      ),
    ])
  })

  test('may name a file that has the value', () => {
    const secret = join(tempFolder(), 'secret')
    writeFileSync(secret, 'hunter2\n')
    const environment = { RPI_CLUSTER_HUB_SOCKET_PORT: '1', RPI_CLUSTER_HUB_PASSWORD_FILE: secret }
    expect(read('{}', environment).values['password']).toBe('hunter2')
    const of = (path: string) => read('{}', { ...environment, RPI_CLUSTER_HUB_PASSWORD_FILE: path }).problems
    expect(of(tempFolder())[0]).toMatch(/PASSWORD_FILE names .*, which is a folder, and should be a file\.$/)
    expect(of('/nowhere')[0]).toMatch(/names \/nowhere, which cannot be read: ENOENT/)
    expect(of('')[0]).toMatch(/PASSWORD_FILE names "", which is no name at all\.$/)
    // pnpm runs a program in its package's folder, and its reader is elsewhere.
    onTestFinished(() => void vi.unstubAllEnvs())
    vi.stubEnv('INIT_CWD', dirname(secret))
    expect(of('secret')).toEqual([])
    writeFileSync(secret, 'x'.repeat(65 * 1024))
    expect(of(secret)[0]).toMatch(/larger than 64 KiB/)
  })
})

describe('what is wrong within a value', () => {
  const place = v.strictObject({ host, port, password: v.optional(secret(text)) })
  const nested = defineConfig({
    hub: {
      description: 'The node that others connect to.',
      keys: {
        members: {
          schema: members,
          description: 'Its members.',
          default: { a: { host: 'a', port: 1, leader_port: 2 } },
        },
        places: { schema: listOf(place), description: 'Some places.', default: [] },
        backup: { schema: orNothing(place), description: 'Another place.', default: null },
        numbers: { schema: listOf(port), description: 'Some ports.', default: [] },
        hidden: { schema: secret(listOf(place)), description: 'Secret places.', default: [] },
        loose: { schema: v.object({ port }), description: 'One that may have more.', default: { port: 1 } },
        either: { schema: v.union([port, place]), description: 'One or the other.', default: 1 },
      },
    },
  })
  const hosts = 'It takes a host name or an IP address, such as 127.0.0.1.'

  function problemsOf(text: string): string[] {
    const file = readConfigText('FILE', text, secretNames(nested))
    return inForce(nested, ['hub'], file, {}).problems
  }

  test('is told where it is, by its path: in an object, and in one of those in it', () => {
    const text = `{
  "hub": {
    "members": {
      "node-1": { "host": "127.0.0.1", "port": "12351", "leader_port": 12341 },
      "node-2": { "host": "127.0.0.1", "port": 0, "leader_port": 0.5 },
      "node-3": { "port": 12353, "leader_port": 12343 },
      "node-4": { "host": "", "port": 12354 },
      "node-5": { "host": "127.0.0.1", "port": 12355, "leader_port": 12345, "colour": 1, "hots": 2 },
      "node 6": { "host": "127.0.0.1", "port": 12356, "leader_port": 12346 },
      "node-7": 7,
      "node-8": []
    }
  }
}`
    const names =
      'It takes up to 63 letters, digits, "_", "-" and ".", of which the first is a letter or a digit.'
    const each = `${hosts.slice(0, -1)}, as "host", and two ports, "port" and "leader_port".`
    expect(problemsOf(text)).toEqual([
      `FILE:4:48 hub.members.node-1.port is "12351". ${ports} Write 12351, without the quotation marks.`,
      `FILE:5:48 hub.members.node-2.port is 0. ${ports}`,
      `FILE:5:66 hub.members.node-2.leader_port is 0.5. ${ports}`,
      `FILE:6:17 hub.members.node-3.host is missing. ${hosts}`,
      `FILE:7:27 hub.members.node-4.host is "". ${hosts}`,
      `FILE:7:17 hub.members.node-4.leader_port is missing. ${ports}`,
      'FILE:8:87 hub.members.node-5.colour is not known here. Known here: host, port, leader_port.',
      'FILE:8:98 hub.members.node-5.hots is not known here. Did you mean host?',
      `FILE:9:7 A name in hub.members is "node 6". ${names}`,
      `FILE:10:17 hub.members.node-7 is 7. ${each}`,
      'FILE:3:16 hub.members has more mistakes: 1.',
    ])
    expect(problemsOf('{"hub": {"members": {"node-8": []}}}')).toEqual([
      `FILE:1:32 hub.members.node-8 is []. ${each}`,
    ])
  })

  test.each([
    [
      '"members": {}',
      '{}. It takes 1 to 25 members by the names of their keys, each with a host name or an IP address, such as 127.0.0.1, as "host", and two ports, "port" and "leader_port".',
    ],
    ['"numbers": 5', `5. It takes a list, and for each of it a whole number from 1 to 65535.`],
    ['"loose": []', '[]. It takes Object.'],
    ['"either": {"host": "b c", "port": 1}', 'an object. It takes (number | Object).'],
  ])('it is told as a whole where nothing within is to blame: %s', (text, problem) => {
    const [, key] = /^"(\w+)"/.exec(text) ?? []
    expect(problemsOf(`{"hub": {\n  ${text}}}`)).toEqual([
      `FILE:2:${text.indexOf(':') + 5} hub.${key} is ${problem}`,
    ])
  })

  test('so is an item of a list, and what is in it, and in what may be nothing', () => {
    const text = `{"hub": {
  "places": [{ "host": "a", "port": 1 }, { "host": "a b", "prt": 1 }, null],
  "backup": { "host": "a" },
  "numbers": [1, "2", 3, 0]
}}`
    expect(problemsOf(text)).toEqual([
      `FILE:2:52 hub.places[1].host is "a b". ${hosts}`,
      `FILE:2:42 hub.places[1].port is missing. ${ports} prt is there, at FILE:2:66: is that port, misspelled?`,
      'FILE:2:71 hub.places[2] is null. It takes Object.',
      `FILE:3:13 hub.backup.port is missing. ${ports}`,
      `FILE:4:18 hub.numbers[1] is "2". ${ports} Write 2, without the quotation marks.`,
      `FILE:4:26 hub.numbers[3] is 0. ${ports}`,
    ])
    expect(problemsOf('{"hub": {"loose": {"port": 1, "more": 2}}}')).toEqual([])
  })

  test('a secret is not told there either', () => {
    const text =
      '{"hub": {"hidden": [{"host": "geheim 1"}], "backup": {"host": "a", "port": 1, "password": 5}}}'
    expect(problemsOf(text)).toEqual([
      'FILE:1:91 hub.backup.password is not right. It takes any text. (What it is, is a secret, and not shown.)',
      'FILE:1:20 hub.hidden is not right. It takes a list, and for each of it Object. (What it is, is a secret, and not shown.)',
    ])
  })

  test('what stands there twice is told, however deep', () => {
    const text = `{"hub": {"members": {
  "node-1": { "host": "a", "port": 1, "leader_port": 2 },
  "node-1": { "host": "b", "port": 1, "port": 0, "leader_port": 2 }
}, "places": [{ "host": "a", "port": 1, "host": "a" }]}}`
    expect(problemsOf(text)).toEqual([
      'FILE:3:3 hub.members.node-1 stands on line 2 already. Leave one of them.',
      'FILE:4:41 hub.places[0].host stands on line 4 already. Leave one of them.',
    ])
  })
})

describe('whatever stands in a file', () => {
  const valid = `{
  // notes
  "hub": { "socket_port": 1, "friends": ["a"], "level": "calm" },
  "hub2": {
    "password": "geheim",
    "x": 5
  }
}
[hub]
password = geheim
`
  const piece = fc.oneof(
    fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      "'",
      '/*',
      '*/',
      '//',
      '\\',
      '\n',
      '\r',
      '\t',
      '#',
      ';',
      '=',
      '\0',
    ),
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom('"hub"', '"__proto__"', '"password"', '1e999', '\uFFFD', '%(x)s'),
  )
  const edits = fc.array(fc.tuple(fc.nat(valid.length), fc.nat(20), piece), { maxLength: 6 })
  const text = fc.oneof(
    edits.map((all) =>
      all.reduce((made, [at, gone, put]) => made.slice(0, at) + put + made.slice(at + gone), valid),
    ),
    fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
    fc.json({ maxDepth: 40 }),
  )

  test('it is read, or told of: nothing is thrown, and each problem is a line', () => {
    fc.assert(
      fc.property(text, fc.constantFrom('x.json', 'x.cfg', 'x'), (given, path) => {
        const file = readConfigText(path, given, secretNames(config))
        const { problems, warnings } = inForce(config, ['hub', 'leaf'], file, {})
        for (const line of [...problems, ...warnings]) expect(line).toMatch(/^[^\n\r]+$/)
        try {
          JSON.parse(JSON.stringify(migratedText(path, given, config, './schema.json')))
        } catch (error) {
          expect(error).toBeInstanceOf(OperationalError)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('a secret is in no message, however much is wrong around it', () => {
    const kinds = [
      ['{\n"hub": {\n', '"password": "geheim"', ',\n"raw_days": 5\n}}\n'],
      ['{\n"hub": {\n', "'password': 'geheim'", '\n"raw_days": 5\n}}\n'],
      ['{\n"hub": {\n', 'password = geheim', '\n"raw_days": 5\n}}\n'],
      ['{\n"hub": {\n', '"password":\n ["geheim", \'geheim\']', '\n"raw_days": 5\n}}\n'],
      ['[hub]\nraw_days = 5\n', 'password = "geheim" # geheim', '\nx = 1\n'],
      ['[hub]\nraw_days = 5\n', 'password = geheim\n geheim', '\nx = 1\n'],
      ['[hub]\nraw_days = 5\n', 'password geheim %(geheim)s', '\nx = 1\n'],
    ] as const
    fc.assert(
      fc.property(
        fc.constantFrom(...kinds),
        fc.nat(40),
        fc.nat(40),
        piece,
        piece,
        (kind, at, behind, put, added) => {
          const [before, secret, after] = kind
          const given =
            before.slice(0, at) +
            put +
            before.slice(at) +
            secret +
            after.slice(0, behind) +
            added +
            after.slice(behind)
          const file = readConfigText('x', given, secretNames(config))
          const { problems, warnings } = inForce(config, ['hub'], file, {})
          expect([...problems, ...warnings].join('\n')).not.toContain('geheim')
        },
      ),
      { numRuns: 500, examples: [[kinds[6], 5, 0, '#', '=']] },
    )
  })
})

test('an address is one to us exactly if it is one to Node', () => {
  const six = fc.oneof(
    fc.ipV6(),
    fc.ipV4(),
    fc
      .array(fc.constantFrom('::', ':', '1', 'ffff', '1.2.3.4', '%eth0', '.', '256'), { maxLength: 9 })
      .map((x) => x.join('')),
  )
  fc.assert(
    fc.property(six, (address) => v.is(bindAddress, address) === (address === '' || isIP(address) !== 0)),
    { numRuns: 2_000 },
  )
  for (const name of ['localhost', 'raspberrypi.local', 'pi-4', 'node_2', '4ever', '::1', 'p'.repeat(253)])
    expect(v.is(host, name), name).toBe(true)
  for (const name of [
    '',
    '-pi',
    'pi-',
    'a..b',
    '192.168.1.256',
    '192.168.1',
    'pi local',
    'pi:80',
    'p'.repeat(254),
  ])
    expect(v.is(host, name), name).toBe(false)
})

test('a default that its own schema refuses is a mistake in the program', () => {
  const keys = { key: { schema: port, description: 'A key.', default: 0 } }
  expect(() => defineConfig({ a: { description: 'A section.', keys } })).toThrow(
    `The default of a.key is 0. ${ports}`,
  )
})

/** What a file gives, as a program reads it. */
function load(text: string) {
  const path = join(tempFolder(), 'rpicluster.json')
  writeFileSync(path, text)
  const before = process.argv
  process.argv = [process.execPath, '', '--config', path]
  onTestFinished(() => {
    process.argv = before
  })
  const { log, records } = recordingLog()
  const values = loadJsonConfig(config, 'hub', log)
  return { path, values, records, warnings: records.filter(({ level }) => level === 'warn') }
}

test('the log says which file it was, and at level debug where each value is, and no secret', () => {
  const { records, path } = load('{"hub": {"socket_port": 1, "password": "geheim"}}')
  expect(records.map(({ level, msg }) => `${level}: ${msg.replace(path, 'FILE')}`)).toEqual([
    'info: The configuration is FILE',
    'debug: hub.socket_port is 1, from rpicluster.json:1:25',
    'debug: hub.socket_bind_ip is "127.0.0.1", by default',
    'debug: hub.raw_days is 1, by default',
    'debug: hub.other_host is null, by default',
    'debug: hub.password is "(secret)", from rpicluster.json:1:40',
    'debug: hub.friends is [], by default',
    'debug: hub.level is "calm", by default',
    'debug: hub.open is false, by default',
  ])
})

test('read again, it gives what stands there now, or throws as a whole', () => {
  const { path } = load('{"hub": {"socket_port": 1}}')
  const { log } = recordingLog()
  writeFileSync(path, '{"hub": {"socket_port": 2}}')
  expect(loadJsonConfig(config, ['hub'], log).hub.socketPort).toBe(2)
  writeFileSync(path, '{"hub": {"socket_port": 2, "raw_days": 0}')
  expect(() => loadJsonConfig(config, 'hub', log)).toThrow(OperationalError)
})

describe('a program', () => {
  /** Runs one in a package of its own, in which there are some files. */
  async function run(files: Record<string, string>, args: string[] = [], env: NodeJS.ProcessEnv = {}) {
    const folder = realpathSync(tempFolder())
    mkdirSync(join(folder, 'src'))
    const program = join(folder, 'src/program.mjs')
    for (const [name, text] of Object.entries({
      'package.json': '{}',
      'src/program.mjs': `import ${JSON.stringify(join(BUILT_FIXTURES, 'loads-json-config.js'))}`,
      ...files,
    }))
      writeFileSync(join(folder, name), text)
    const { INIT_CWD: _, ...inherited } = process.env
    const started = start(program, args, { cwd: folder, env: { ...inherited, LOG_FOLDER: folder, ...env } })
    const code = await started.ended
    const shown = (text: string) => text.replaceAll(folder, '.').replace(/^\[[\d:]+\] /gm, '')
    return { folder, code, stdout: shown(started.stdout), stderr: shown(started.stderr) }
  }

  const json = '{"hub": {"socket_port": 1, "password": "geheim"}, "leaf": {"socket_port": 1, "hub_ip": "pi"}}'
  const ini =
    '; The hub.\n[boss]\n# Its port.\nsocket_port = 2\n\n; Who knows it is let in.\npassword = geheim\n'

  test('reads rpicluster.json of its folder before rpicluster.cfg, and that where it is alone', async () => {
    const both = await run({ 'rpicluster.json': json, 'rpicluster.cfg': ini })
    expect(both).toMatchObject({ code: 0, stderr: '' })
    expect(both.stdout).toMatch(
      /^INFO \(loads-json-config\): The configuration is \.\/rpicluster\.json; rpicluster\.cfg beside it is not read\n\{"socketPort":1,/,
    )
    const one = await run({ 'rpicluster.cfg': ini })
    expect(one.stdout).toMatch(/rpicluster\.cfg:2 \[boss\] is called \[hub\] now/)
    expect(one.stdout).toMatch(
      /is \.\/rpicluster\.cfg, an INI file: --migrate makes JSON of it\n\{"socketPort":2,/,
    )
    const none = await run({})
    expect(none).toMatchObject({
      code: 1,
      stdout:
        'FATAL (loads-json-config): There is no configuration file ./rpicluster.json. Create it, or name another with --config FILE.\n',
    })
  })

  test('needs no file where the environment says all', async () => {
    const { stdout } = await run({}, [], { RPI_CLUSTER_HUB_SOCKET_PORT: '7', RPI_CLUSTER_HUB_OPEN: 'true' })
    expect(stdout).toMatch(
      /^INFO .*: There is no configuration file; from the environment: hub\.socket_port, hub\.open; by default: hub\.socket_bind_ip,.*\n\{"socketPort":7,.*"open":true\}\n$/,
    )
  })

  test.skipIf(process.platform === 'win32')('reads several sections of one pipe, and again', async () => {
    const folder = tempFolder()
    const program = join(BUILT_FIXTURES, 'loads-json-config.js')
    const line = `exec "$0" "$1" --config <(sleep 0.1; printf '%s' "$2")`
    const stdout = execFileSync('bash', ['-c', line, process.execPath, program, json], {
      env: { ...process.env, LOG_FOLDER: folder, SECTIONS: 'both', TWICE: 'yes' },
      encoding: 'utf8',
    })
    expect(stdout).toMatch(
      /\n\{"hub":\{"socketPort":1,.*\},"leaf":(\{"socketPort":1,"hubIp":"pi"\})\}\n.*\n\1\n$/,
    )
  })

  test.each([
    [['x'], "Unexpected argument 'x'"],
    [['--config', '--print-config'], "Option '--config' argument is ambiguous"],
  ])('takes nothing else from its command line: %j', async (args, what) => {
    const { code, stdout } = await run({ 'rpicluster.json': json }, args)
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: `FATAL (loads-json-config): ${what}. This program takes --config FILE, --print-config, --migrate [FILE], or nothing.\n`,
    })
  })

  test('--print-config shows what is in force, and where it comes from, and nothing else', async () => {
    const env = { RPI_CLUSTER_HUB_RAW_DAYS: '7', RPI_CLUSTER_HUB_PASSWORD: 'geheim', SECTIONS: 'both' }
    const text = json.replace('"hub_ip"', '"other": 1, "hub_ip"')
    const { code, stdout, stderr, folder } = await run({ 'rpicluster.json': text }, ['--print-config'], env)
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `// What is in force, with ./rpicluster.json.
{
  "hub": {
    "socket_port": 1, // rpicluster.json:1:25
    "socket_bind_ip": "127.0.0.1", // by default
    "raw_days": 7, // RPI_CLUSTER_HUB_RAW_DAYS
    "other_host": null, // by default
    "password": "(secret)", // RPI_CLUSTER_HUB_PASSWORD
    "friends": [], // by default
    "level": "calm", // by default
    "open": false // by default
  },
  "leaf": {
    "socket_port": 1, // rpicluster.json:1:75
    "hub_ip": "pi" // rpicluster.json:1:100
  }
}
`,
    })
    expect(stderr).toMatch(/^\.\/rpicluster\.json:1:87 leaf\.other is not known here.*\n$/)
    expect(readFileSync(join(folder, 'loads-json-config.log'), 'utf8')).toBe('')

    const wrong = await run({ 'rpicluster.json': '{"hub": {}}' }, ['--print-config'])
    expect(wrong).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^FATAL .*hub\.socket_port is missing/),
    })
  })

  test('--migrate makes JSON of an INI file, with the notes in it, and never over another', async () => {
    const { code, stdout, folder } = await run({ 'rpicluster.cfg': ini }, ['--migrate'])
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `Wrote ./rpicluster.json: 2 values, and 3 lines of comments.
[boss] is called "hub" there.
From now on rpicluster.json is read, and rpicluster.cfg is not. Delete that when nobody else needs it.
`,
    })
    const made = readFileSync(join(folder, 'rpicluster.json'), 'utf8')
    expect(made).toBe(`{
  "$schema": "./rpicluster.schema.json",

  // The hub.
  "hub": {
    // Its port.
    "socket_port": 2,

    // Who knows it is let in.
    "password": "geheim"
  }
}
`)
    const again = await run({ 'rpicluster.cfg': ini, 'rpicluster.json': made }, ['--migrate'])
    expect(again).toMatchObject({
      code: 1,
      stdout:
        'FATAL (loads-json-config): There is a ./rpicluster.json already, which is not overwritten. Move it away first.\n',
    })
    const read = await run({ 'rpicluster.cfg': ini, 'rpicluster.json': made })
    expect(read.stdout).toMatch(/\n\{"socketPort":2,.*"password":"geheim"/)
    expect(read.stdout).not.toMatch(/WARN/)
  })

  test('--migrate FILE makes the JSON beside that, with its rights, and nothing where something is wrong', async () => {
    const other = join(realpathSync(tempFolder()), 'mine.cfg')
    writeFileSync(other, ini)
    chmodSync(other, 0o606)
    const { code, stdout } = await run({}, ['--migrate', other])
    expect(code).toBe(0)
    const made = other.replace('cfg', 'json')
    expect(stdout.split('\n').at(-2)).toBe(`Start programs with --config ${made} from now on.`)
    expect(statSync(made).mode & 0o777).toBe(0o606)

    const wrong = await run({ 'rpicluster.cfg': '[hub]\nsocket_port = x\npassword = y\nopen = 7\n' }, [
      '--migrate',
    ])
    expect(wrong.stdout.split('\n')).toEqual([
      `FATAL (loads-json-config): ./rpicluster.cfg:2 [hub] socket_port is "x". ${ports} Nothing was written.`,
      'FATAL (loads-json-config): ./rpicluster.cfg:4 [hub] open is "7". It takes true or false. Nothing was written.',
      '',
    ])
    expect(existsSync(join(wrong.folder, 'rpicluster.json'))).toBe(false)
    const already = await run({ 'rpicluster.json': json }, ['--migrate=rpicluster.json'])
    expect(already.stdout).toMatch(/rpicluster\.json is JSON already: there is nothing to migrate\.\n$/)
  })
})

test('what another program reads of an INI file goes along, with all notes', () => {
  const text = `; About all.

[DEFAULT]
; The port of both.
socket_port = 12345

[hub]
raw_days = 3 ; not many

# Unknown here.
Mystery = 50%%

; Between.
[mine]
; x
x = %(y)s 1
y: "2"
; The last.
`
  const { json, notices, comments } = migratedText('FILE', text, config, './schema.json')
  expect(json).toBe(`{
  "$schema": "./schema.json",

  // About all.

  // The port of both.

  "hub": {
    "socket_port": 12345,
    "raw_days": 3, // not many

    // Unknown here.
    "Mystery": "50%"
  },

  // Between.
  "mine": {
    "socket_port": "12345",
    // x
    "x": "2 1",
    "y": "2"
  }

  // The last.
}
`)
  expect(comments).toBe(7)
  expect(notices).toContain('hub.Mystery is not known here, and goes along as text.')
})
