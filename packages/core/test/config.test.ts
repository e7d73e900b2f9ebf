import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, realpathSync, writeFileSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import * as v from 'valibot'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  anyText,
  bindAddress,
  type ConfigShape,
  host,
  loadConfig,
  orNothing,
  port,
  wholeNumber,
} from '../src/config.ts'
import { OperationalError } from '../src/lifecycle.ts'
import { BUILT_FIXTURES } from './built-fixtures.ts'
import { recordingLog, start, tempFolder } from './support.ts'

const master = { section: 'master', keys: { socket_port: port, socket_bind_ip: bindAddress } }
const slave = { section: 'slave', keys: { socket_port: port, master_ip: host } }

test('gives the values of the section, as the types of the program', () => {
  const { config, warnings } = load(
    slave,
    '[master]\nx = 1\n[slave]\nsocket_port = 12345\nmaster_ip = 192.168.1.20\n',
  )
  expect(config).toEqual({ socketPort: 12345, masterIp: '192.168.1.20' })
  expect(warnings).toEqual([])
})

test('reads comments, quotes, spaces, Windows line ends, and a byte order mark at the beginning', () => {
  const text =
    '\uFEFF[slave]\r\n; a comment\r\n  socket_port=12345 ; the port\r\n# another\r\nmaster_ip = "pi.local"\r\n'
  expect(load(slave, text).config).toEqual({ socketPort: 12345, masterIp: 'pi.local' })
})

describe('files from the field', () => {
  const both = { socketPort: 12345, socketBindIp: '127.0.0.1' }

  // Once the master listened on the port of the slave, whose section it had taken for a part of its own.
  test.each(['[master] ; the Pi under the desk', '[master]'])('comments behind sections: %s', (first) => {
    const text = `${first}\nsocket_port = 12345\nsocket_bind_ip = 127.0.0.1\n\n[slave] # the three in the rack\nsocket_port = 12399\nmaster_ip = 127.0.0.1\n`
    expect(load(master, text)).toMatchObject({ config: both, warnings: [] })
    expect(load(slave, text)).toMatchObject({
      config: { socketPort: 12399, masterIp: '127.0.0.1' },
      warnings: [],
    })
  })

  test('colons', () => {
    expect(load(master, '[master]\nsocket_port: 12345\nsocket_bind_ip: 127.0.0.1\n')).toMatchObject({
      config: both,
      warnings: [],
    })
  })

  test('keys without a value, in any section', () => {
    const text = '[master]\nsocket_port\nsocket_bind_ip\n[slave]\nsocket_port = 12345\nmaster_ip\n'
    const path = configFile(text)
    expect(problems(slave, path)).toEqual([
      `${path}:2 [master] socket_port has no value. Write "socket_port = " and the value.`,
      `${path}:3 [master] socket_bind_ip has no value. Write "socket_bind_ip = " and the value.`,
      `${path}:6 [slave] master_ip has no value. It takes a host name or an IP address, such as 127.0.0.1. Write "master_ip = " and the value.`,
    ])
  })

  test.each([
    ['12345\u200b', '12345\\u200b'],
    ['\ufe0f12345', '\\ufe0f12345'],
    ['12\u00a0345', '12\\u00a0345'],
    ['12345\u{e0041}', '12345\\udb40\\udc41'],
  ])('characters that cannot be seen: %j', (text, shown) => {
    const path = configFile(`[slave]\nsocket_port = ${text}\nmaster_ip = pi\n`)
    expect(problems(slave, path)).toEqual([
      `${path}:2 [slave] socket_port is "${shown}". It takes a whole number from 1 to 65535.`,
    ])
  })

  test('a section with a dot', () => {
    const text = '[master.pi1]\nx = 1\n[master]\nsocket_port = 12345\nsocket_bind_ip = 127.0.0.1\n'
    expect(load(master, text)).toMatchObject({ config: both, warnings: [] })
    expect(load({ section: 'master.pi1', keys: { x: port } }, text)).toMatchObject({
      config: { x: 1 },
      warnings: [],
    })
  })

  test('a key twice, which everybody is told who reads the file', () => {
    const text =
      '[master]\nsocket_port = 12345\nsocket_bind_ip = 127.0.0.1\n[slave]\nsocket_port = 12345\nmaster_ip = 127.0.0.1\nmaster_ip = 127.0.0.9\n'
    const { config, path, warnings } = load(slave, text)
    expect(config).toEqual({ socketPort: 12345, masterIp: '127.0.0.9' })
    expect(warnings).toEqual([
      `${path}:7 [slave] master_ip stands on line 6 already. The value of line 7 is used; Python refuses that.`,
    ])
    expect(load(master, text).warnings).toHaveLength(1)
  })

  test('what holds for all sections, and what refers to it', () => {
    const text =
      '[DEFAULT]\nsocket_port = 12345\nhome = 127.0.0\n[master]\nsocket_bind_ip = %(home)s.1\n[slave]\nmaster_ip = pi\nsocket_port = 12399\n'
    expect(load(master, text)).toMatchObject({ config: both, warnings: [] })
    expect(load(slave, text)).toMatchObject({ config: { socketPort: 12399, masterIp: 'pi' }, warnings: [] })
  })

  test('indented, all of it, or one line deeper than the others', () => {
    const text = '  [master]\n  socket_port = 12345\n  socket_bind_ip = 127.0.0.1\n'
    expect(load(master, text)).toMatchObject({ config: both, warnings: [] })
    const path = configFile(text.replace('  socket_bind', '    socket_bind'))
    expect(problems(master, path)).toEqual([
      `${path}:3 "socket_bind_ip = 127.0.0.1" is indented deeper than line 2, and so would be a part of that line's value. Begin both lines in the same column.`,
      `${path} [master] socket_bind_ip is missing. It takes an IP address of this machine, or nothing at all for every interface.`,
    ])
  })

  test('keys in capitals', () => {
    expect(load(master, '[master]\nSocket_Port = 12345\nSOCKET_BIND_IP = 127.0.0.1\n')).toMatchObject({
      config: both,
      warnings: [],
    })
  })

  test('UTF-16, as PowerShell writes it', () => {
    const path = configFile('')
    writeFileSync(path, '\uFEFF[master]\n', 'utf16le')
    expect(problems(master, path)).toEqual([
      `Cannot read the configuration file ${path}: it is UTF-16 text. Save it as UTF-8, or name another with --config FILE.`,
    ])
  })

  test('a section that may be in a line that cannot be read', () => {
    const path = configFile('[master\nsocket_port = 1\n')
    expect(problems(master, path)).toEqual([`${path}:1 "[master" begins a section, and lacks its "]".`])
  })

  test('something that is no configuration: a few of its lines are named, and the others counted', () => {
    const path = configFile(`[master]\n${'An essay of many lines\n'.repeat(1_000)}`)
    const found = problems(master, path)
    expect(found).toHaveLength(13)
    expect(found[9]).toMatch(/:11 "An essay of many lines" has no "="/)
    expect(found[10]).toBe(`${path} has 990 more of such lines. Is it a configuration file?`)
  })

  test('something far too large', () => {
    const path = configFile(`[master]\n${'#'.repeat(1024 * 1024)}`)
    expect(problems(master, path)).toEqual([
      `Cannot read the configuration file ${path}: it is larger than 1 MiB. Name another with --config FILE.`,
    ])
  })
})

describe.skipIf(process.platform === 'win32')('what is no file', () => {
  const cannot = (path: string, why: string) =>
    `Cannot read the configuration file ${path}: ${why}. Name another with --config FILE.`

  test('a pipe that nobody writes to, one that somebody never ends, a device, and a socket are refused', async () => {
    const path = join(tempFolder(), 'pipe.cfg')
    execFileSync('mkfifo', [path])
    expect(problems(master, path)).toEqual([cannot(path, 'it is a pipe that nobody writes to')])

    const held = openSync(path, 'r+')
    writeSync(held, '[master]\n')
    expect(problems(master, path)).toEqual([
      cannot(path, 'it is a pipe whose end did not come within 900 ms'),
    ])
    closeSync(held)

    expect(problems(master, '/dev/zero')).toEqual([cannot('/dev/zero', 'it is a device')])
    const socket = join(tempFolder(), 'socket')
    const server = createServer().listen(socket)
    await once(server, 'listening')
    expect(problems(master, socket)).toEqual([cannot(socket, 'it is a socket')])
    server.close()
  })

  // The shell gives the name of a pipe in place of <(...), and so a reader can change a file on its way.
  test('what a shell pipes in is read', async () => {
    const path = configFile('[master]\nsocket_port = 1\n')
    const run = `exec "$0" "$1" --config <(sleep 0.1; sed s/1/2/ "$2")`
    const program = join(BUILT_FIXTURES, 'loads-config.js')
    const { stdout, stderr } = await promisify(execFile)(
      'bash',
      ['-c', run, process.execPath, program, path],
      { env: { ...process.env, LOG_FOLDER: dirname(path) } },
    )
    expect(stdout + stderr).toBe('{"socketPort":2}\n')
  })
})

function problems(shape: Parameters<typeof loadConfig>[0], path: string): readonly string[] {
  withArguments('', '--config', path)
  try {
    loadConfig(shape, recordingLog().log)
  } catch (error) {
    if (error instanceof OperationalError) return error.problems
    throw error
  }
  return []
}

describe('where the file is', () => {
  const text = '[master]\nsocket_port = 1\n'

  test("is rpicluster.cfg in the program's package folder, when nothing else is said", () => {
    const path = configFile(text)
    writeFileSync(join(dirname(path), 'package.json'), '{}')
    mkdirSync(join(dirname(path), 'src'))
    const script = join(dirname(path), 'src', 'master.ts')
    writeFileSync(script, '')
    withArguments(script)
    expect(loadConfig({ section: 'master', keys: { socket_port: port } }, recordingLog().log)).toEqual({
      socketPort: 1,
    })
  })

  test('counts from the folder where the reader typed, when pnpm started the program elsewhere', async () => {
    const path = configFile(text)
    const folder = dirname(dirname(path))
    const program = start('loads-config.ts', ['--config', path.slice(folder.length + 1)], {
      env: { ...process.env, INIT_CWD: folder, LOG_FOLDER: folder },
    })
    expect(await program.ended, program.stdout + program.stderr).toBe(0)
    expect(program.stdout).toBe('{"socketPort":1}\n')
  })

  test('counts from the working directory, when the reader started it there', async () => {
    const folder = dirname(configFile('[master]\nsocket_port = 0\n'))
    const { INIT_CWD: _, ...env } = process.env
    const program = start('loads-config.ts', ['--config=rpicluster.cfg'], { cwd: folder, env })
    expect(await program.ended).toBe(1)
    expect(program.stdout).toMatch(
      /FATAL \(loads-config\): .*\/rpicluster\.cfg:2 \[master\] socket_port is "0"\. It takes a whole number from 1 to 65535\.\n$/,
    )
    expect(program.stderr).toBe('')
  })
})

describe('values', () => {
  const ports = 'It takes a whole number from 1 to 65535.'
  const hosts = 'It takes a host name or an IP address, such as 127.0.0.1.'
  const binds = 'It takes an IP address of this machine, or nothing at all for every interface.'

  test.each(['1', '80', '31415', '65535'])('a port can be %s', (text) => {
    expect(value(port, text)).toBe(Number(text))
  })

  test.each(['0', '65536', '99999', '123456', '-1', '80.5', '1e3', '0x50', 'http', '', '12 345'])(
    'a port cannot be "%s"',
    (text) => expect(() => value(port, text)).toThrow(`[a] key is "${text}". ${ports}`),
  )

  test.each(['127.0.0.1', '::1', 'localhost', 'raspberrypi.local', 'pi-4', 'node_2', '4ever', 'a.b.c'])(
    'a host can be %s',
    (text) => expect(value(host, text)).toBe(text),
  )

  test.each([
    '',
    '-pi',
    'pi-',
    'a..b',
    '192.168.1.256',
    '192.168.1',
    'pi local',
    'http://pi',
    'pi:80',
    'p'.repeat(254),
  ])('a host cannot be "%s"', (text) =>
    expect(() => value(host, text)).toThrow(`[a] key is "${text}". ${hosts}`),
  )

  test.each([
    ['', '0.0.0.0'],
    ['127.0.0.1', '127.0.0.1'],
    ['::', '::'],
  ])('an address to listen on can be "%s", which is %s', (text, address) => {
    expect(value(bindAddress, text)).toBe(address)
  })

  test.each(['localhost', '1.2.3', 'every'])('an address to listen on cannot be "%s"', (text) => {
    expect(() => value(bindAddress, text)).toThrow(`[a] key is "${text}". ${binds}`)
  })

  test('a whole number has its own limits', () => {
    const few = wholeNumber(1, 50)
    expect(['1', '07', '50'].map((text) => v.parse(few, text))).toEqual([1, 7, 50])
    for (const text of ['0', '51', '007', '1.0', '-1', ''])
      expect(() => v.parse(few, text)).toThrow('a whole number from 1 to 50')
  })

  test('what may be left empty is undefined then, and else what it is', () => {
    const maybe = orNothing(port)
    expect([v.parse(maybe, ''), v.parse(maybe, '80')]).toEqual([undefined, 80])
    expect(() => v.parse(maybe, 'x')).toThrow('a whole number from 1 to 65535, or nothing at all')
  })

  test('what is not in the file has its default, where there is one', () => {
    const shape = {
      section: 'a',
      keys: { socket_port: port, some_host: orNothing(host), a_word: anyText },
      defaults: { socket_port: '8086', some_host: '' },
    }
    const path = configFile('[a]\na_word = x\n')
    const { log, records } = recordingLog()
    withArguments('', '--config', path)
    expect(loadConfig(shape, log)).toEqual({ socketPort: 8086, someHost: undefined, aWord: 'x' })
    expect(records).toEqual([])
    writeFileSync(path, '[a]\nsocket_port = 0\nsome_host = pi\n')
    expect(problems(shape as never, path)).toEqual([
      `${path}:2 [a] socket_port is "0". It takes a whole number from 1 to 65535.`,
      `${path} [a] a_word is missing. It takes any text.`,
    ])
  })

  function value(schema: typeof port | typeof host | typeof bindAddress, text: string) {
    return load({ section: 'a', keys: { key: schema } }, `[a]\nkey = ${text}\n`).config['key']
  }
})

describe('what is wrong', () => {
  test('is told all at once, each with file, line, section, key, value and what would be right', () => {
    const path = configFile('[master]\nsocket_bind_ip = everywhere\n')
    expect(problems(master, path)).toEqual([
      `${path} [master] socket_port is missing. It takes a whole number from 1 to 65535.`,
      `${path}:2 [master] socket_bind_ip is "everywhere". It takes an IP address of this machine, or nothing at all for every interface.`,
    ])
  })

  test('may be the file that is not there', () => {
    const path = join(tempFolder(), 'not-there.cfg')
    expect(problems(master, path)).toEqual([
      `There is no configuration file ${path}. Create it, or name another with --config FILE.`,
    ])
  })

  test('may be a folder in the place of the file', () => {
    const path = tempFolder()
    expect(problems(master, path)).toEqual([
      `Cannot read the configuration file ${path}: it is a folder. Name another with --config FILE.`,
    ])
  })

  test.each([
    ['[slave]\nx = 1\n[primary]\n', 'It has [slave], [primary].'],
    ['[mastre]\n', 'It has [mastre]: is that [master], misspelled?'],
    ['socket_port = 1\n', 'It has no section at all.'],
    ['', 'It has no section at all.'],
  ])('may be the section: %j', (text, what) => {
    const path = configFile(text)
    expect(problems(master, path)).toEqual([`${path} has no section [master]. ${what}`])
  })

  test.each([
    [['--confg', 'x'], "Unknown option '--confg'"],
    [['x.cfg'], "Unexpected argument 'x.cfg'"],
    [['--config'], "Option '--config <value>' argument missing"],
  ])('may be the command line: %j', (args, what) => {
    withArguments('', ...args)
    expect(() => loadConfig(master, recordingLog().log)).toThrow(
      new OperationalError(`${what}. This program takes --config FILE, or nothing.`),
    )
  })
})

describe('a key that is not known', () => {
  const good = '[slave]\nsocket_port = 1\nmaster_ip = pi\n'

  test.each([
    ['socket_prt', 'Did you mean socket_port?'],
    ['colour', 'Known here: socket_port, master_ip.'],
    ['toString', 'Known here: socket_port, master_ip.'],
  ])('is a warning, with the name that was probably meant: %s', (key, hint) => {
    const { config, warnings, path } = load(slave, `${good}${key} = 2\n`)
    expect(config).toEqual({ socketPort: 1, masterIp: 'pi' })
    expect(warnings).toEqual([`${path}:4 [slave] ${key} is not known here, and is ignored. ${hint}`])
  })

  test('in the section of another program is none of this one’s business', () => {
    expect(load(slave, `[other]\nx = 1\n${good}`).warnings).toEqual([])
  })

  test('cannot reach into the program by its name', () => {
    const { config } = load(slave, `${good}__proto__ = 2\n[__proto__]\npolluted = 1\n`)
    expect(config).toEqual({ socketPort: 1, masterIp: 'pi' })
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })
})

function load<Shape extends ConfigShape<Record<string, typeof port | typeof host | typeof bindAddress>>>(
  shape: Shape,
  text: string,
) {
  const path = configFile(text)
  withArguments('', '--config', path)
  const { log, records } = recordingLog()
  const config: Record<string, unknown> = loadConfig(shape, log)
  return { config, path, warnings: records.map(({ msg }) => msg) }
}

function configFile(text: string): string {
  const path = join(realpathSync(tempFolder()), 'rpicluster.cfg')
  writeFileSync(path, text)
  return path
}

/** As if Node had been started with this script and these arguments. */
function withArguments(script: string, ...args: string[]): void {
  const before = process.argv
  process.argv = [process.execPath, script, ...args]
  onTestFinished(() => {
    process.argv = before
  })
}
