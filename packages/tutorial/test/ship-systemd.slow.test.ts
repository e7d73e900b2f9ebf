/** Chapter 12 on its way to a machine that has all of its own: `pnpm ship` through a real sshd to a real systemd. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { ChapterCopy } from '../src/harness/harness.ts'
import { canBootSystemd, Systemd } from '../src/harness/systemd.ts'
import type { ShipOptions } from '../src/ship/ship.ts'
import { hasSshd } from './support/pis.ts'
import { shipAndKeep } from './support/shipped.ts'

const PATIENCE = { timeout: 60_000, interval: 200 }

const HOME = '/opt/rpicluster/12-autostart'
const [MASTER, SLAVE] = ['rpicluster-master.service', 'rpicluster-slave.service']

/** A machine by the name of `pi`, with its own systemd, which ssh enters as root. */
async function aMachine() {
  const folder = mkdtempSync(join(tmpdir(), 'machine-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const inside = '/opt/rpicluster/ssh' // where the machine has what is written here
  const ssh = join(folder, 'opt/ssh')
  mkdirSync(ssh, { recursive: true })
  for (const key of ['key', 'host-key'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(ssh, key)])
  writeFileSync(
    join(ssh, 'sshd_config'),
    `HostKey ${inside}/host-key
AuthorizedKeysFile ${inside}/key.pub
StrictModes no
# As careful as it can be: what is made there is for nobody else.
ForceCommand umask 077; eval "$SSH_ORIGINAL_COMMAND"
SetEnv PATH=${dirname(process.execPath)}:/usr/bin:/bin:/usr/sbin:/sbin
`,
  )
  const systemd = await Systemd.boot(join(folder, 'opt'))
  await systemd.run('mkdir', '/run/sshd')
  await systemd.run('chmod', '600', `${inside}/host-key`) // or sshd does not take it
  writeFileSync(join(folder, 'known_hosts'), `pi ${readFileSync(join(ssh, 'host-key.pub'), 'utf8')}`)
  const sshConfig = join(folder, 'ssh_config')
  writeFileSync(
    sshConfig,
    `Host pi
  User root
  ProxyCommand ${systemd.commandLine('/usr/sbin/sshd', '-i', '-f', `${inside}/sshd_config`)}
  IdentityFile ${ssh}/key
  IdentitiesOnly yes
  UserKnownHostsFile ${folder}/known_hosts
  GlobalKnownHostsFile /dev/null
`,
  )
  return { systemd, sshConfig, folder }
}

describe.runIf(hasSshd() && canBootSystemd())('ship to a machine with systemd', () => {
  test('a master and a slave are started there, restarted as the new version, and as the one before', {
    timeout: 300_000,
  }, async () => {
    const { systemd, sshConfig, folder } = await aMachine()
    const copy = await ChapterCopy.make('12-autostart', { ports: 'own' })
    onTestFinished(() => copy.remove())
    const shipped = (options: ShipOptions = {}) =>
      shipAndKeep(
        copy.chapter,
        ['pi'],
        { sshConfig, ...options },
        { bundle: join(folder, 'out'), from: folder },
      )
    const current = () => systemd.run('readlink', '-f', `${HOME}/current`)
    const state = (unit: string) => systemd.show(unit, 'ActiveState', 'StatusText', 'NRestarts', 'MainPID')
    const runs = async (program: string) =>
      systemd.run('cat', `/proc/${(await state(`rpicluster-${program}.service`))['MainPID']}/cmdline`)
    /** Both run as the current version, have not ended by themselves, and are connected. */
    const bothRun = async () => {
      expect(await runs('master')).toContain(`${await current()}/master.js`)
      expect(await runs('slave')).toContain(`${await current()}/slave.js`)
      const isUp = { ActiveState: 'active', NRestarts: '0' }
      expect(await state(MASTER)).toMatchObject({ ...isUp, StatusText: 'Listening on 127.0.0.1:12345' })
      await vi.waitFor(
        async () =>
          expect(await state(SLAVE)).toMatchObject({
            ...isUp,
            StatusText: expect.stringMatching(/^Connected to 127\.0\.0\.1:12345 as client /),
          }),
        PATIENCE,
      )
    }
    const said = async () =>
      (await systemd.run('journalctl', '--unit', SLAVE, '--output=cat', '--no-pager')).match(
        /Connecting .*\.\.\./g,
      )

    const first = await shipped({ as: ['master', 'slave'] })
    expect(first.code, first.text).toBe(0)
    await bothRun()
    expect(await systemd.run('systemctl', 'status', SLAVE)).toMatch(
      /Active: active \(running\)[\s\S]*Status: "Connected to 127\.0\.0\.1:12345 as client \d+"/,
    )
    const old = await current()

    const source = join(copy.folder, 'src/slave.ts')
    const original = readFileSync(source, 'utf8')
    writeFileSync(source, original.replace('Connecting to the master...', 'Connecting anew...'))
    const second = await shipped()
    expect(second.code, second.text).toBe(0)
    expect(second.text).toMatch(/: 1 of \d+ files sent$/m)
    const other = await current()
    expect(other).not.toBe(old)
    await bothRun()

    const back = await shipped({ back: true })
    expect(back.code, back.text).toBe(0)
    expect(await current()).toBe(old)
    await bothRun()
    expect(await said()).toEqual([
      'Connecting to the master...',
      'Connecting anew...',
      'Connecting to the master...',
    ])

    // What was broken off after the switch is made good the next time.
    await systemd.run('ln', '-sfn', other, `${HOME}/current`)
    const again = await shipped()
    expect(again.code, again.text).toBe(0)
    expect(again.text).toMatch(/nothing sent/)
    await bothRun()

    // And when nothing is new, nothing is started.
    const pids = async () => [(await state(MASTER))['MainPID'], (await state(SLAVE))['MainPID']]
    const before = await pids()
    expect((await shipped()).code).toBe(0)
    expect(await pids()).toEqual(before)

    // What was changed there is replaced, and runs no longer.
    await systemd.run('sh', '-c', `echo >> ${HOME}/current/slave.js`)
    expect((await shipped()).text).toMatch(/: 1 of \d+ files sent$/m)
    await bothRun()
    expect(await pids()).not.toContain(before[1])

    expect(await systemd.run('journalctl', '--output=cat', '--no-pager')).not.toContain('cannot be told')

    const less = await shipped({ as: ['slave'] })
    expect(less.text).toMatch(/^pi \| rpicluster-master is no service there any more$/m)
    expect(await systemd.show(MASTER, 'ActiveState', 'UnitFileState')).toEqual({
      ActiveState: 'inactive',
      UnitFileState: 'disabled',
    })
    await vi.waitFor(async () => expect((await state(SLAVE))['StatusText']).toMatch(/^Waiting/), PATIENCE)
  })
})
