import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type DaemonOptions, daemonUnits, firmware, installDaemon } from '../src/daemon.ts'
import { notedCommands, tempFolder } from './support.ts'

/** All that there is. */
const EVERYTHING: DaemonOptions = {
  keepsState: true,
  listens: { nodes: '0.0.0.0:31415', web: '[::1]:8080' },
  credentials: { key: '/etc/rpicluster/node.key' },
  rootTasks: ['reboot', 'shutdown', 'update-system'],
  devices: [firmware],
  reloadedBy: 'status',
}

/** Makes this process look as if it were one that lies in some folder. */
function asProgramIn(folder: string): void {
  mkdirSync(folder, { recursive: true })
  for (const file of ['service.js', 'node.js', 'status.js']) writeFileSync(join(folder, file), '')
  writeFileSync(join(folder, 'package.json'), '{"cluster":{"programs":{"node":{}}}}')
  const [node = '', script = ''] = process.argv
  process.argv.splice(0, 2, node, join(folder, 'service.js'))
  onTestFinished(() => void process.argv.splice(0, 2, node, script))
}

const allOf = ({ service, sockets, tasks }: ReturnType<typeof daemonUnits>) => [
  service,
  ...sockets,
  ...tasks.flat(),
]

const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0
if (!hasAnalyze && process.env['CI']) throw new Error('systemd is not installed, and CI must run its tests')

test.runIf(hasAnalyze).each<[string, DaemonOptions]>([
  ['nothing', {}],
  ['everything', EVERYTHING],
])(
  'the units of a program that needs %s are ones that systemd takes, and expose it at most to 2.0',
  (_, options) => {
    asProgramIn(join(tempFolder(), "with 50% more $HOME, 'quotes' and \\"))
    const units = daemonUnits('node', options)
    const folder = tempFolder()
    for (const { name, text } of allOf(units)) writeFileSync(join(folder, name), text)
    // A template is looked at as one that was started for somebody.
    const names = allOf(units).map(({ name }) => name.replace('@.', '@1.'))
    for (const { name, text } of units.tasks.flat())
      if (name.includes('@')) writeFileSync(join(folder, name.replace('@.', '@1.')), text)
    const verified = spawnSync('systemd-analyze', ['verify', ...names.map((name) => join(folder, name))], {
      encoding: 'utf8',
    })
    expect(verified.stderr.split('\n').filter((line) => line.includes('rpicluster'))).toEqual([])
    const args = ['security', '--offline=true', '--threshold=20', join(folder, units.service.name)]
    const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' })
    expect(stdout).toMatch(/Overall exposure level/)
    expect(status).toBe(0)
  },
)

test('a unit says all that a program was granted, and nothing more', () => {
  asProgramIn(tempFolder())
  const { service, sockets, tasks, groups } = daemonUnits('node', EVERYTHING)
  const lines = service.text.split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      'StateDirectory=rpicluster-node',
      'Sockets=rpicluster-node-nodes.socket',
      'Sockets=rpicluster-node-web.socket',
      'LoadCredential=key:/etc/rpicluster/node.key',
      'DeviceAllow=/dev/vcio rw',
      'BindPaths=-/dev/vcio',
      'SupplementaryGroups=video rpicluster-task-reboot rpicluster-task-shutdown rpicluster-task-update-system',
      'TimeoutStopSec=15',
      'MemoryMax=256M',
      'TasksMax=64',
    ]),
  )
  expect(lines).toContainEqual(expect.stringMatching(/^ExecReload=\S+ .*status\.js node --reload$/))
  expect(sockets.map(({ text }) => /ListenStream=(.*)/.exec(text)?.[1])).toEqual([
    '0.0.0.0:31415',
    '[::1]:8080',
  ])
  expect(tasks.map(([, { text }]) => /ExecStart=.*/.exec(text)?.[0])[0]).toBe(
    'ExecStart=systemd-cat --identifier=rpicluster-task-reboot reboot',
  )
  expect(groups).toEqual([
    'rpicluster',
    'rpicluster-task-reboot',
    'rpicluster-task-shutdown',
    'rpicluster-task-update-system',
  ])
  const bare = daemonUnits('node').service.text
  expect(bare).toContain('ExecReload=kill -HUP $MAINPID\n')
  expect(bare).not.toMatch(
    /^(StateDirectory|Sockets|LoadCredential|DeviceAllow|BindPaths|SupplementaryGroups)=/m,
  )
})

test('a program that starts others may be given more memory, and more threads', () => {
  asProgramIn(tempFolder())
  const { text } = daemonUnits('node', { memoryMax: '75%', tasksMax: 512 }).service
  expect(text).toContain('\nMemoryMax=75%\nTasksMax=512\n')
})

test.each<[DaemonOptions, RegExp]>([
  [
    { rootTasks: ['node-time'] },
    /^There is no task "node-time" .* There is: reboot, shutdown, update-system\.$/,
  ],
  [{ rootTasks: ['update-code'] }, /^There is no task "update-code"/],
  [{ rootTasks: ['constructor'] }, /^There is no task "constructor"/],
  [{ listens: { nodes: '1\nExecStart=x' } }, /cannot stand in a unit/],
  [{ credentials: { key: '/a b' } }, /^"\/a b" cannot stand in a unit/],
  [{ devices: [{ path: '/dev/%i', group: 'video' }] }, /cannot stand in a unit/],
])('what cannot be granted is refused: %j', (options, why) => {
  asProgramIn(tempFolder())
  expect(() => daemonUnits('node', options)).toThrow(why)
})

describe('the units are installed', () => {
  let calls = ''

  beforeEach(() => {
    calls = notedCommands('install', 'systemctl', 'sudo', 'groupadd')
    return () => vi.unstubAllEnvs()
  })

  test.each([
    ['root', 0, ''],
    ['another user', 1000, 'sudo -n '],
  ])('by %s, the sockets before the program', async (_, uid, before) => {
    asProgramIn(tempFolder())
    const { service, ...rest } = daemonUnits('node', { ...EVERYTHING, rootTasks: ['reboot'] })
    vi.spyOn(process, 'getuid').mockReturnValue(uid)
    onTestFinished(() => void vi.restoreAllMocks())
    await installDaemon({ service: { ...service, needs: ['/'] }, ...rest }, () => {})
    const steps = readFileSync(calls, 'utf8').trim().split('\n')
    const sockets = 'rpicluster-node-nodes.socket rpicluster-node-web.socket'
    expect(steps.filter((step) => !step.includes('install -m 644'))).toEqual([
      'systemctl show --property=Version',
      `${before}groupadd --system --force rpicluster`,
      `${before}groupadd --system --force rpicluster-task-reboot`,
      `${before}systemctl daemon-reload`,
      `${before}systemctl enable rpicluster-node.service ${sockets} rpicluster-task-reboot.socket`,
      `${before}systemctl restart rpicluster-task-reboot.socket`,
      `${before}systemctl stop rpicluster-node.service`,
      `${before}systemctl restart ${sockets}`,
      `${before}systemctl restart rpicluster-node.service`,
    ])
    expect(steps.filter((step) => step.includes('install -m 644'))).toHaveLength(5)
  })
})
