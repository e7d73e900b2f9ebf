/** A daemon with all that one can have, under a real systemd: its sandbox, its reload, and a restart that loses nothing. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleChapter } from '@rpi-cluster/tutorial/bundle/bundle-chapter'
import { readChapter } from '@rpi-cluster/tutorial/chapters/chapters'
import { canBootSystemd, Systemd } from '@rpi-cluster/tutorial/harness/systemd'
import { describe, expect, onTestFinished, test, vi } from 'vitest'

const PATIENCE = { timeout: 60_000, interval: 200 }

const UNIT = 'rpicluster-node.service'

/** For how long somebody talks, in s: long enough for what a test does meanwhile. */
const TALK_S = 10

/** Boots a system that has a key, and devices as a Pi has them, and installs the daemon there. */
async function aDaemon() {
  const folder = await mkdtemp(join(tmpdir(), 'daemon-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await bundleChapter(readChapter(join(import.meta.dirname, 'support/daemon')), folder)
  const systemd = await Systemd.boot(folder)
  const shell = (script: string) => systemd.run('sh', '-e', '-c', script)
  await shell(`mkdir /etc/rpicluster; echo secretsecret > /etc/rpicluster/node.key; chmod 600 /etc/rpicluster/node.key
    cp -a /dev /run/dev
    for name in vcio other; do mknod -m 660 /run/dev/$name c 1 3; chgrp video /run/dev/$name; done
    mount --bind /run/dev /dev`)
  const node = (...args: string[]) => systemd.run(process.execPath, ...args)
  const said = await node('service.js', '--install')
  const journal = () => systemd.run('journalctl', '--unit', UNIT, '--no-pager', '--output=cat')
  return {
    systemd,
    shell,
    said,
    journal,
    node,
    ask: async (...words: string[]) => JSON.parse(await node('client.js', ...words)),
    configure: (from: string, to: string) => shell(`sed -i 's/${from}/${to}/' rpicluster.cfg`),
    health: async () => {
      const { stdout, code } = await node('status.js').then(
        (stdout) => ({ stdout, code: 0 }),
        (error) => error,
      )
      return { code, ...JSON.parse(stdout) }
    },
  }
}

describe.runIf(canBootSystemd())('under a real systemd, a daemon', () => {
  test('has what it was granted, and nothing else', { timeout: 300_000 }, async () => {
    const { systemd, shell, said, ask, journal, node } = await aDaemon()
    expect(await systemd.show(UNIT, 'ActiveState', 'StatusText')).toEqual({
      ActiveState: 'active',
      StatusText: 'Listening on 127.0.0.1:7001',
    })
    // Neither what was said nor the log has the key; a program that is not root cannot read its file.
    expect(await ask('key')).toBe('secretsecret'.length)
    for (const text of [said, await journal()]) expect(text).not.toContain('secretsecret')
    const seen: Record<string, unknown> = {
      credential: { mode: '400', isOwn: true },
      'file of the key': 'EACCES',
      'write code': 'EROFS',
      'write /etc': 'EROFS',
      'write /run': 'EACCES',
      'write state': 'ok',
      'write logs': 'ok',
      'granted device': 'ok',
      'another device': 'ENOENT',
      'another task': 'ENOENT',
      children: '0\n1\n2\n3\n',
      'become root': 'EPERM',
      interfaces: ['lo'],
    }
    for (const [look, what] of Object.entries(seen))
      expect([look, await ask('look', look)]).toEqual([look, what])
    const security = await systemd.run('systemd-analyze', 'security', '--threshold=20', '--no-pager', UNIT)
    expect(security).toMatch(/Overall exposure level .*: [01]\.\d/)

    // What root does is changed here, as an administrator does it: there is nothing to update from.
    const drop = (command: string) =>
      shell(`d='/etc/systemd/system/rpicluster-task-update-system@.service.d'; mkdir -p "$d"
        printf '[Service]\\nExecStart=\\nExecStart=systemd-cat -t trial ${command}\\n' > "$d/trial.conf"; systemctl daemon-reload`)
    await drop('id')
    expect(await ask('task', 'update-system')).toMatchObject({ done: true })
    await vi.waitFor(
      async () => expect(await systemd.run('journalctl', '-t', 'trial', '--output=cat')).toMatch(/^uid=0/),
      PATIENCE,
    )
    await drop('false')
    expect(await ask('task', 'update-system')).toMatchObject({
      done: false,
      why: expect.stringMatching(/exit-code 1/),
    })
    expect(await ask('task', 'shutdown')).toMatchObject({ done: false })

    // And what was granted is done for real: the system goes down.
    node('client.js', 'task', 'reboot').catch(() => {})
    await vi.waitFor(async () => expect(await shell('true').catch(() => 'gone')).toBe('gone'), PATIENCE)
  })

  test('reloads, and is started anew, while somebody talks, and refuses nobody and loses nothing', {
    timeout: 300_000,
  }, async () => {
    const { systemd, ask, configure, health, journal, node } = await aDaemon()
    const reload = () => systemd.run('systemctl', 'reload', UNIT)
    expect(await health()).toMatchObject({ code: 0, healthy: true })
    const talked = node('talker.js', String(TALK_S))

    await configure('factor = 2', 'factor = 3')
    await reload()
    expect(await ask('times', '21')).toBe(63)
    await configure('factor = 3', 'factor = x')
    await expect(reload()).rejects.toThrow(/Job for rpicluster-node\.service failed/)
    expect(await ask('times', '21')).toBe(63)
    expect(await health()).toMatchObject({ code: 1, healthy: false, reloads: { count: 2 } })
    await configure('factor = x', 'factor = 4')
    await systemd.run('systemctl', 'restart', UNIT)
    expect(await ask('times', '21')).toBe(84)
    // An installation on what is there is a restart, too.
    await node('service.js', '--install')

    const { sent, connections, problems } = JSON.parse(await talked)
    expect(problems).toEqual([])
    expect(connections).toBe(3)
    await systemd.run('systemctl', 'stop', 'rpicluster-node-nodes.socket', UNIT)
    expect(await systemd.show(UNIT, 'ActiveState', 'Result')).toEqual({
      ActiveState: 'inactive',
      Result: 'success',
    })
    expect(await health()).toMatchObject({ code: 3, healthy: false })
    const taken = [...(await journal()).matchAll(/Taken: (\d+)/g)].map(([, count]) => Number(count))
    expect(taken).toHaveLength(3)
    expect(taken.reduce((sum, count) => sum + count)).toBe(sent)
  })
})
