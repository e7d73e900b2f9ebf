import { mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { bindAddress, type ConfigShape, host, loadConfig, port } from '../src/config.ts'
import { OperationalError } from '../src/lifecycle.ts'
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
      /FATAL \(loads-config\): .*\/rpicluster\.cfg \[master\] socket_port is "0"\. It takes a whole number from 1 to 65535\.\n$/,
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

  function value(schema: typeof port | typeof host | typeof bindAddress, text: string) {
    return load({ section: 'a', keys: { key: schema } }, `[a]\nkey = ${text}\n`).config['key']
  }
})

describe('what is wrong', () => {
  test('is told all at once, each with file, section, key, value and what would be right', () => {
    const path = configFile('[master]\nsocket_bind_ip = everywhere\n')
    expect(problems(master, path)).toEqual([
      `${path} [master] socket_port is missing. It takes a whole number from 1 to 65535.`,
      `${path} [master] socket_bind_ip is "everywhere". It takes an IP address of this machine, or nothing at all for every interface.`,
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
    expect(warnings).toEqual([`${path} [slave] ${key} is not known here, and is ignored. ${hint}`])
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
