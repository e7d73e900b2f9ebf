import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleChapter } from '@rpi-cluster/tutorial/bundle/bundle-chapter'
import { test } from '@rpi-cluster/tutorial/harness'
import { canBootSystemd, Systemd } from '@rpi-cluster/tutorial/harness/systemd'
import { describe, onTestFinished, vi } from 'vitest'

const PATIENCE = { timeout: 90_000, interval: 200 }

const [PRIMARY, SECONDARY] = ['rpicluster-primary.service', 'rpicluster-secondary.service']

describe.runIf(canBootSystemd())('under a real systemd', () => {
  test('a primary and a secondary are daemons, reload, and are started anew, and nobody is refused', {
    timeout: 300_000,
  }, async ({ chapter, expect }) => {
    const folder = await mkdtemp(join(tmpdir(), 'bundle-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await bundleChapter(chapter.chapter, folder)
    const systemd = await Systemd.boot(folder)
    const node = (...args: string[]) => systemd.run(process.execPath, ...args)
    const shell = (script: string) => systemd.run('sh', '-e', '-c', script)
    const state = (unit: string) => systemd.show(unit, 'ActiveState', 'StatusText', 'NRestarts')
    const isConnected = { ActiveState: 'active', StatusText: expect.stringMatching(/^Connected to /) }
    const task = (...words: string[]) =>
      shell(
        `RPI_CLUSTER_EVERYONE_KEY=/etc/rpicluster/everyone.key ${process.execPath} task.js ${words.join(' ')}`,
      )

    await node('service.js', 'primary', '--install')
    // What the primary has made at its first start is brought to the nodes, for root alone.
    const keys = await vi.waitFor(async () => shell('ls /var/lib/private/rpicluster-primary/keys'), PATIENCE)
    expect(keys).toContain('secondary-1.key')
    await shell(`mkdir -p /etc/rpicluster
      for pair in secondary-1:secondary everyone:everyone; do
        install -m 600 /var/lib/private/rpicluster-primary/keys/\${pair%:*}.key /etc/rpicluster/\${pair#*:}.key
      done`)
    await node('service.js', 'secondary', '--install')
    await vi.waitFor(async () => expect(await state(SECONDARY)).toMatchObject(isConnected), PATIENCE)
    expect((await task('secondary-1', 'node-time')).split('\n').at(-1)).toMatch(/\d{10}\.\d{3}$/)
    await expect(task('secondary-1', 'reboot')).rejects.toMatchObject({
      stdout: expect.stringMatching(/The task reboot was not done/),
    })
    for (const unit of [PRIMARY, SECONDARY])
      expect(await systemd.run('systemd-analyze', 'security', '--no-pager', unit)).toMatch(
        /Overall exposure level .*: [01]\.\d/,
      )
    expect(JSON.parse(await node('status.js', 'primary'))).toMatchObject({ healthy: true })

    await shell(`sed -i 's/"full_from": 90/"full_from": 95/' rpicluster.json`)
    await systemd.run('systemctl', 'reload', PRIMARY)
    await shell(`sed -i 's/"full_from": 95/"full_from": "much"/' rpicluster.json`)
    await expect(systemd.run('systemctl', 'reload', PRIMARY)).rejects.toThrow(/Job for .* failed/)
    await shell(`sed -i 's/"full_from": "much"/"full_from": 90/' rpicluster.json`)
    await systemd.run('systemctl', 'restart', PRIMARY)
    await vi.waitFor(async () => expect(await state(SECONDARY)).toMatchObject(isConnected), PATIENCE)
    expect(await state(PRIMARY)).toMatchObject({ ActiveState: 'active', NRestarts: '0' })
    const journal = (unit: string) => systemd.run('journalctl', '--unit', unit, '--no-pager', '--output=cat')
    expect(await journal(PRIMARY)).toMatch(/Reloaded\. Changed: full_from/)
    expect(await journal(SECONDARY)).not.toMatch(/Nobody listens/)
  })
})
