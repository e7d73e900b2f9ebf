import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleChapter } from '@rpi-cluster/tutorial/bundle/bundle-chapter'
import { test } from '@rpi-cluster/tutorial/harness'
import { canBootSystemd, Systemd } from '@rpi-cluster/tutorial/harness/systemd'
import { describe, onTestFinished, vi } from 'vitest'

/** A unit is started again after five seconds, and a watchdog takes some. */
const PATIENCE = { timeout: 90_000, interval: 200 }

const SLAVE = 'rpicluster-slave.service'

describe.runIf(canBootSystemd())('under a real systemd', () => {
  test('a slave starts, and starts again when it was killed, and when it hangs, and stops', {
    timeout: 300_000,
  }, async ({ chapter, expect }) => {
    const folder = await mkdtemp(join(tmpdir(), 'bundle-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await bundleChapter(chapter.chapter, folder)
    const systemd = await Systemd.boot(folder)
    const node = (...args: string[]) => systemd.run(process.execPath, ...args)
    const state = () => systemd.show(SLAVE, 'ActiveState', 'StatusText', 'NRestarts', 'Result', 'MainPID')
    const signal = async (name: string) => systemd.run('kill', name, String((await state())['MainPID']))

    await expect(node('service.js', 'helpers', '--install')).rejects.toThrow(/ There is: master, slave\./)
    // Its master is off: it is started all the same.
    expect((await node('service.js', 'slave', '--install')).split('\n')).toEqual([
      expect.stringMatching(/^install -m 644 \S+ \/etc\/systemd\/system\/rpicluster-slave\.service$/),
      'systemctl daemon-reload',
      'systemctl enable rpicluster-slave.service',
      'systemctl restart rpicluster-slave.service',
      'It runs, and will whenever this machine starts. systemctl status rpicluster-slave.service says how it does,',
      'journalctl -fu rpicluster-slave.service what it logs.',
    ])
    expect(await state()).toMatchObject({ ActiveState: 'active', StatusText: 'Waiting for the master' })
    await node('service.js', 'master', '--install')
    const isConnected = { ActiveState: 'active', StatusText: expect.stringMatching(/^Connected to /) }
    await vi.waitFor(async () => expect(await state()).toMatchObject(isConnected), PATIENCE)

    await signal('-KILL')
    await vi.waitFor(
      async () => expect(await state()).toMatchObject({ ...isConnected, NRestarts: '1' }),
      PATIENCE,
    )

    // The watchdog's half a minute is shortened, as an administrator does it.
    await systemd.run('mkdir', `/etc/systemd/system/${SLAVE}.d`)
    const shorter = `printf '[Service]\\nWatchdogSec=3\\n' > /etc/systemd/system/${SLAVE}.d/shorter.conf`
    await systemd.run('sh', '-c', `${shorter}; systemctl daemon-reload; systemctl restart ${SLAVE}`)
    await vi.waitFor(async () => expect(await state()).toMatchObject(isConnected), PATIENCE)
    await new Promise((resolve) => setTimeout(resolve, 5_000)) // longer than the watchdog waits
    expect(await state()).toMatchObject({ ...isConnected, NRestarts: '0' })
    await signal('-STOP')
    await vi.waitFor(
      async () => expect(await state()).toMatchObject({ ...isConnected, NRestarts: '1' }),
      PATIENCE,
    )

    const user = await systemd.run('stat', '--format=%U', '/var/log/rpicluster-slave/slave.log')
    expect(user).toBe('rpicluster-slave')
    await systemd.run('systemctl', 'stop', SLAVE)
    expect(await state()).toMatchObject({ ActiveState: 'inactive', Result: 'success' })

    // The journal has each line with its level, and one time: its own.
    const journal = await systemd.run('journalctl', '--unit', SLAVE, '--output=json', '--no-pager')
    const lines = journal
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ _COMM }) => _COMM !== 'systemd')
      .map(({ PRIORITY, MESSAGE }) => `${PRIORITY} ${MESSAGE}`)
    expect(lines).toContain('6 INFO (slave): Connecting to the master...')
    expect(lines).toContainEqual(expect.stringMatching(/^4 WARN \(slave\): Nobody listens on /))
    expect(lines.filter((line) => line.includes('cannot be told'))).toEqual([])
    expect(lines.at(-1)).toMatch(/^6 INFO \(slave\): Stopped$/)
    // So has the log file.
    expect(await systemd.run('tail', '-n', '1', '/var/log/rpicluster-slave/slave.log')).toContain('"Stopped"')
  })
})
