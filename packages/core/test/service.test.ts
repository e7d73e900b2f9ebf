import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { installUnit, unitOf } from '../src/service.ts'
import { notedCommands, type Program, start, tempFolder } from './support.ts'

const PATIENCE = { timeout: 30_000, interval: 10 }

/** A socket as systemd has it, and what it was told. */
async function aNotifySocket() {
  const path = join(tempFolder(), 'notify')
  const script = join(import.meta.dirname, 'fixtures/notify-socket.py')
  const child = spawn('python3', [script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let told = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    told += text
  })
  const lines = () => told.split('\n').filter(Boolean)
  await vi.waitFor(() => expect(lines()).toEqual(['open']), PATIENCE)
  return { path, told: () => lines().slice(1) }
}

/** Starts a service that waits for a signal. */
function aService(env: NodeJS.ProcessEnv): Program {
  return start('tells-systemd.ts', [tempFolder()], { env: { ...process.env, ...env } })
}

const isWatchdog = (line: string) => line === 'WATCHDOG=1'

describe.skipIf(process.platform !== 'linux')('systemd', () => {
  test('is told that a program is ready, what it does, and that it stops', async () => {
    const socket = await aNotifySocket()
    const service = aService({ NOTIFY_SOCKET: socket.path })
    await vi.waitFor(() => expect(socket.told()).toEqual(['READY=1', 'STATUS=Working']), PATIENCE)
    service.child.kill('SIGTERM')
    expect(await service.ended).toBe(0)
    await vi.waitFor(
      () => expect(socket.told()).toEqual(['READY=1', 'STATUS=Working', 'STOPPING=1']),
      PATIENCE,
    )
  })

  test('is told the last of many things that happen at once, in one line', async () => {
    const socket = await aNotifySocket()
    const service = aService({ NOTIFY_SOCKET: socket.path })
    await vi.waitFor(() => expect(socket.told()).toContain('READY=1'), PATIENCE)
    service.child.kill('SIGUSR2')
    await vi.waitFor(() => expect(socket.told().at(-1)).toBe('STATUS=Count 100'), PATIENCE)
    expect(socket.told().length).toBeLessThan(10)
  })

  test('hears from the watched program as long as its loop turns', async () => {
    const socket = await aNotifySocket()
    const service = aService({ NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '300000' })
    const count = () => socket.told().filter(isWatchdog).length
    await vi.waitFor(() => expect(count()).toBeGreaterThan(3), PATIENCE)
    service.child.kill('SIGUSR1')
    await sleep(500) // what was on its way arrives
    const before = count()
    await sleep(1_500)
    expect(count()).toBe(before)
    service.child.kill('SIGKILL')
  })

  test('hears nothing of that from a program that it does not watch', async () => {
    const socket = await aNotifySocket()
    aService({ NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '100000', WATCHDOG_PID: '1' })
    await vi.waitFor(() => expect(socket.told()).toContain('READY=1'), PATIENCE)
    await sleep(1_000)
    expect(socket.told().filter(isWatchdog)).toEqual([])
  })

  test('that cannot be told is one warning, and the program goes on', async () => {
    const service = aService({ NOTIFY_SOCKET: join(tempFolder(), 'nowhere'), WATCHDOG_USEC: '100000' })
    const warnings = () => service.stdout.split('\n').filter((line) => line.includes('cannot be told'))
    await vi.waitFor(() => expect(warnings()).toHaveLength(1), PATIENCE)
    await sleep(1_000)
    expect(warnings()).toHaveLength(1)
    service.child.kill('SIGTERM')
    expect(await service.ended).toBe(0)
  })

  test('that cannot be told of the end is none', async () => {
    const folder = tempFolder()
    writeFileSync(join(folder, 'systemd-notify'), '#!/bin/sh\ncase $1 in STOPPING=1) kill $$ ;; esac\n')
    chmodSync(join(folder, 'systemd-notify'), 0o755)
    const service = aService({ PATH: `${folder}:${process.env['PATH']}`, NOTIFY_SOCKET: '/nowhere' })
    await vi.waitFor(() => expect(service.stdout).toContain('Working'), PATIENCE)
    service.child.kill('SIGTERM')
    expect(await service.ended).toBe(0)
    expect(service.stdout).not.toContain('cannot be told')
  })

  test.each([
    ['is not there: nothing is started for it', undefined, []],
    [
      'is there: a program is, once for what is said at once',
      '/nowhere',
      ['READY=1 STATUS=Working', 'STOPPING=1'],
    ],
  ])('%s', async (_, socket, calls) => {
    const folder = tempFolder()
    const called = join(folder, 'called')
    writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\necho "$*" >> '${called}'\n`)
    chmodSync(join(folder, 'systemd-notify'), 0o755)
    const service = aService({ PATH: `${folder}:${process.env['PATH']}`, NOTIFY_SOCKET: socket })
    await vi.waitFor(() => expect(service.stdout).toContain('Working'), PATIENCE)
    const lines = () => (existsSync(called) ? readFileSync(called, 'utf8').trim().split('\n') : [])
    await vi.waitFor(() => expect(lines()).toEqual(calls.slice(0, 1)), PATIENCE)
    service.child.kill('SIGTERM')
    expect(await service.ended).toBe(0)
    expect(lines()).toEqual(calls)
  })
})

describe('a unit', () => {
  /** Makes this process look as if it were one that lies in some folder. */
  function asProgramIn(folder: string, packageJson = {}): void {
    mkdirSync(folder, { recursive: true })
    for (const file of ['service.js', 'slave.js', 'helpers.js', 'keys.txt'])
      writeFileSync(join(folder, file), '')
    writeFileSync(join(folder, 'package.json'), JSON.stringify(packageJson))
    const [node = '', script = ''] = process.argv
    process.argv.splice(0, 2, node, join(folder, 'service.js'))
    onTestFinished(() => void process.argv.splice(0, 2, node, script))
  }

  const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0
  if (!hasAnalyze && process.env['CI']) throw new Error('systemd is not installed, and CI must run its tests')

  test.runIf(hasAnalyze).each(['plain', "with 50% more $HOME, 'quotes' and \\"])(
    'of a program in a folder that is named %s is one that systemd takes, and exposes little',
    (name) => {
      const folder = join(tempFolder(), name)
      asProgramIn(folder)
      const unit = unitOf('slave')
      expect(unit.name).toBe('rpicluster-slave.service')
      const file = join(tempFolder(), unit.name)
      writeFileSync(file, unit.text)
      // It says what it does not know, and what is not there.
      const verified = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' })
      expect(verified.stderr.split('\n').filter((line) => line.includes(unit.name))).toEqual([])
      expect(verified.status).toBe(0)
      const args = ['security', '--offline=true', '--threshold=40', file]
      expect(spawnSync('systemd-analyze', args, { encoding: 'utf8' }).status).toBe(0)
    },
  )

  test('names a program whatever its folder is called', () => {
    const folder = join(tempFolder(), 'with 50% more $HOME and \\"')
    asProgramIn(folder)
    const escaped = folder.replace('%', '%%').replace('$', '$$$$').replace('\\"', '\\\\\\"')
    expect(unitOf('slave').text).toContain(` "${escaped}/slave.js"\n`)
    expect(unitOf('slave').text).toContain(`WorkingDirectory=${folder.replace('%', '%%')}\n`)
  })

  test('says what the program needs of systemd', () => {
    asProgramIn(join(tempFolder(), 'a'))
    for (const line of [
      'Type=notify',
      'NotifyAccess=all',
      'WatchdogSec=30',
      'Restart=always',
      'RestartSec=5',
      'KillMode=mixed',
      'StartLimitIntervalSec=0',
      'After=network-online.target',
      'Wants=network-online.target',
      'DynamicUser=yes',
    ])
      expect(unitOf('slave').text.split('\n')).toContain(line)
  })

  test.each(['master', '', '../slave', 'slave.js', 'helpers', 'service', 'constructor'])(
    'of "%s", which is none of the programs here, is refused',
    (name) => {
      asProgramIn(tempFolder(), { cluster: { programs: { slave: {}, 'not-here': {} } } })
      expect(() => unitOf(name)).toThrow(
        `There is no program "${name}" here that a unit could start. There is: slave.`,
      )
    },
  )

  test.each(['master', 'service', 'keys'])(
    'of "%s" is refused where nothing but the folder says which programs there are',
    (name) => {
      asProgramIn(tempFolder())
      expect(() => unitOf(name)).toThrow(/ There is: (helpers, slave|slave, helpers)\.$/)
    },
  )

  describe('is installed', () => {
    let calls = ''

    beforeEach(() => {
      calls = notedCommands('install', 'systemctl', 'sudo')
      return () => vi.unstubAllEnvs()
    })

    test.each([
      ['root', 0, ''],
      ['another user', 1000, 'sudo -n '],
    ])('by %s, step by step', async (_, uid, before) => {
      vi.spyOn(process, 'getuid').mockReturnValue(uid)
      onTestFinished(() => void vi.restoreAllMocks())
      const said: string[] = []
      await installUnit({ name: 'a.service', text: 'text', needs: ['/'] }, (line) => said.push(line))
      expect(readFileSync(calls, 'utf8').trim().split('\n')).toEqual([
        'systemctl show --property=Version',
        expect.stringMatching(
          new RegExp(`^${before}install -m 644 \\S+/a\\.service /etc/systemd/system/a\\.service$`),
        ),
        `${before}systemctl daemon-reload`,
        `${before}systemctl enable a.service`,
        `${before}systemctl restart a.service`,
      ])
      expect(said.at(-1)).toBe('journalctl -fu a.service what it logs.')
    })

    test('only where its user may read the program', async () => {
      const folder = tempFolder()
      chmodSync(folder, 0o700)
      await expect(installUnit({ name: 'a.service', text: '', needs: [folder] }, () => {})).rejects.toThrow(
        `The service has a user of its own, which may not look into ${folder}. Put the folder of the program into /opt, or say chmod o+x ${folder}`,
      )
      expect(existsSync(calls)).toBe(false)
    })

    test.runIf(process.platform === 'linux').each(['/tmp', '/var/tmp'])(
      'not from %s, of which the service has another one',
      async (place) => {
        const folder = mkdtempSync(`${place}/unit-`)
        onTestFinished(() => rmSync(folder, { recursive: true }))
        chmodSync(folder, 0o755)
        await expect(installUnit({ name: 'a.service', text: '', needs: [folder] }, () => {})).rejects.toThrow(
          `The service has a ${place} of its own, and would not find ${folder}. Put the folder of the program into /opt.`,
        )
        expect(existsSync(calls)).toBe(false)
      },
    )
  })
})
