/** Bundles on their way to Pis: `pnpm ship`, with the system's ssh and a real sshd. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { newKey, writeKeyFile } from '@rpi-cluster/core/key-files'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { filesOf } from '../src/bundle/bundle-chapter.ts'
import { type Chapter, findChapter, readChapter } from '../src/chapters/chapters.ts'
import { ChapterCopy, freePort, isAlive } from '../src/harness/harness.ts'
import type { ShipOptions } from '../src/ship/ship.ts'
import { ROOT } from '../src/workspace/repository.ts'
import { hasSshd, type Pi, Pis } from './support/pis.ts'
import { shipAndKeep } from './support/shipped.ts'

const TUTORIAL = fileURLToPath(new URL('../bin/tutorial.js', import.meta.url))

/** A program that makes services of the others, as far as it matters here. */
const SERVICE = `import { execFileSync } from 'node:child_process'
const [name, option] = process.argv.slice(2)
if (option !== '--install') throw new Error('It takes --install')
const unit = \`rpicluster-\${name}\`
const text = \`[Service]
WorkingDirectory=\${process.cwd()}
ExecStart=\${process.execPath} \${name}.js
\`
const asRoot = (command: string[], input = '') => {
  const [file = '', ...args] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command]
  execFileSync(file, args, { input, stdio: ['pipe', 'ignore', 'inherit'] })
}
asRoot(['tee', \`\${process.env['UNITS']}/\${unit}.service\`], text)
asRoot(['systemctl', 'daemon-reload'])
asRoot(['systemctl', 'restart', unit])
`

/** The commands that change something, as they come to a Pi. */
const CHANGE = /\b(mkdir|mv|ln|rm|chmod|chown|tar|cp)\b|cat >|--install/

describe.skipIf(!hasSshd())('ship', () => {
  let folder: string
  let pis: Pis
  let copy: ChapterCopy
  /** 11, with a program that makes services. */
  let chapter: Chapter
  /** How it was. */
  let original: string

  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'ship-')))
    pis = await Pis.start()
    copy = await ChapterCopy.make('11-reconnection')
    const pkg = JSON.parse(await readFile(join(copy.folder, 'package.json'), 'utf8'))
    pkg.scripts.service = 'node --import tsx src/service.ts'
    await copy.write('package.json', JSON.stringify(pkg))
    await copy.write('src/service.ts', SERVICE)
    original = await readFile(join(copy.folder, 'src/slave.ts'), 'utf8')
    chapter = readChapter(copy.folder)
  })

  afterAll(async () => {
    await pis.stop()
    await copy.remove()
    await rm(folder, { recursive: true })
  })

  /** Ships, and returns the exit code and what was said, a line each. */
  function shipped(to: Pi[] | string[], options: ShipOptions = {}, what = chapter) {
    return shipAndKeep(
      what,
      to.map((pi) => (typeof pi === 'string' ? pi : pi.name)),
      { folder: 'cluster', sshConfig: pis.sshConfig, ...options },
      { bundle: join(folder, what === chapter ? 'bundle' : `of-${what.name}`), from: folder },
    )
  }

  /** A Pi with a first version on it. */
  async function withVersion(name: string, options: ShipOptions = {}): Promise<Pi> {
    const pi = pis.add(name)
    const { code, text } = await shipped([pi], options)
    expect(code, text).toBe(0)
    pi.commands()
    return pi
  }

  async function changeProgram(says: string): Promise<void> {
    await copy.write('src/slave.ts', original.replace('Connecting to the master...', says))
    onTestFinished(() => copy.write('src/slave.ts', original))
  }

  test('two Pis become a cluster; the second time nothing is sent, and nothing restarted', async () => {
    const [one, two] = [pis.add('one'), pis.add('two')]
    const first = await shipped([one], { as: ['master'] })
    expect(first.code, first.text).toBe(0)
    const second = await shipped([two], { as: ['slave'], connectTo: 'localhost' })
    expect(second.code, second.text).toBe(0)
    expect(second.lines).toContain('two | rpicluster.cfg has [slave] master_ip = localhost.')
    expect(second.lines.at(-1)).toBe(
      'two | rpicluster-slave is active, and its log is there: journalctl -u rpicluster-slave -f',
    )
    await vi.waitFor(() => expect(two.journal('rpicluster-slave')).toMatch(/Connected to/), 45_000)
    expect(one.journal('rpicluster-master')).toMatch(/has joined/)
    expect(one.text('cluster/rpicluster.cfg')).not.toContain('localhost')

    const pids = [one.pid('rpicluster-master'), two.pid('rpicluster-slave')]
    for (const pi of [one, two]) pi.commands()
    const { code, text } = await shipped([one, two])
    expect(code, text).toBe(0)
    expect(text.match(/is there already, as \w+: nothing sent/g)).toHaveLength(2)
    for (const pi of [one, two]) expect(pi.commands().filter((line) => CHANGE.test(line))).toEqual([])
    expect([one.pid('rpicluster-master'), two.pid('rpicluster-slave')]).toEqual(pids)
    expect(pids.map(isAlive)).toEqual([true, true])
  })

  test('a node is brought its key, which stands in no command and in nothing that is said', async () => {
    const file = join(folder, 'pi-3.key')
    const key = newKey()
    await writeKeyFile(file, { node: 'pi-3', keys: [key] })
    const place = 'etc/slave.key' // on a real Pi an absolute path
    const withKey: Chapter = {
      ...chapter,
      programs: chapter.programs.map((program) =>
        program.name === 'slave' ? { ...program, keyFile: place } : program,
      ),
    }
    const pi = pis.add('key')
    const order = { as: ['slave'], key: file }
    const tried = await shipped([pi], { ...order, dryRun: true }, withKey)
    expect(tried.text).toMatch(/would run: \(the key\) \| ssh key /)
    expect(existsSync(join(pi.home, place))).toBe(false)
    const { code, text } = await shipped([pi], order, withKey)
    expect(code, text).toBe(0)
    expect(text).toContain(`the key of pi-3 is there, as ${place}`)
    expect(pi.text(place)).toBe(await readFile(file, 'utf8'))
    expect(statSync(join(pi.home, place)).mode & 0o777).toBe(0o600)
    for (const said of [tried.text, text, ...pi.commands(), pi.journal('rpicluster-slave')])
      expect(said).not.toContain(key.key)

    const refused = (options: ShipOptions, to: string[] = ['key']) =>
      expect(shipped(to, options, withKey)).rejects
    await refused({ key: file }).toThrow('A key is that of one node: name one machine, and one program')
    await refused(order, ['key', 'other']).toThrow('A key is that of one node')
    await refused({ as: ['master'], key: file }).toThrow('does not say where a service of master looks')
    await refused({ as: ['slave'], key: join(folder, 'none') }).toThrow(/^Cannot read the key: ENOENT/)
    chmodSync(file, 0o644)
    await refused(order).toThrow(/Do: chmod 600 /)
  })

  test('of a change only that is sent; the version before stays, and --back returns to it', async () => {
    const pi = pis.add('back')
    const first = await shipped([pi], { as: ['slave'] })
    expect(first.code, first.text).toBe(0)
    const [old] = versionsOn(pi)
    pi.commands()

    await changeProgram('Connecting anew...')
    const second = await shipped([pi])
    expect(second.code, second.text).toBe(0)
    expect(second.text).toMatch(/^back \| 11-reconnection is there as \w+: 1 of \d files sent$/m)
    expect(versionsOn(pi)).toHaveLength(2)
    expect(readlinkSync(join(pi.home, 'cluster/previous'))).toBe(`versions/${old}`)
    await vi.waitFor(() => expect(pi.journal('rpicluster-slave')).toMatch(/Connecting anew/), 45_000)

    const back = await shipped([pi], { back: true })
    expect(back.code, back.text).toBe(0)
    expect(back.lines[0]).toBe(`back | is back at ${old}, in cluster`)
    expect(readlinkSync(join(pi.home, 'cluster/current'))).toBe(`versions/${old}`)
    await vi.waitFor(
      () => expect(pi.journal('rpicluster-slave')).toMatch(/anew[\s\S]+Connecting to the master/),
      45_000,
    )

    // And forth again, in both ways.
    const forth = await shipped([pi], { back: true })
    expect(forth.lines[0]).toBe(
      `back | is back at ${versionsOn(pi).find((name) => name !== old)}, in cluster`,
    )
    await shipped([pi], { back: true })
    const sentAgain = await shipped([pi])
    expect(sentAgain.text).toMatch(/nothing sent/)
    expect(readlinkSync(join(pi.home, 'cluster/previous'))).toBe(`versions/${old}`)
  })

  test('a service of systemd runs what was shipped, and is taken back from another chapter', async () => {
    const pi = pis.add('system', 'real')
    const unit = 'rpicluster-ship-test'
    onTestFinished(() => pi.removeServices(unit))
    const [one, other] = ['28-one', '28-other'].map((name) => madeUp(join(folder, name), name)) as [
      Chapter,
      Chapter,
    ]
    const first = await shipped([pi], { as: ['ship-test'] }, one)
    expect(first.code, first.text).toBe(0)
    expect(first.lines.at(-1)).toBe(
      `system | ${unit} is active, and its log is there: journalctl -u ${unit} -f`,
    )
    await vi.waitFor(() => expect(pi.journal(unit)).toMatch(/28-one runs/), 45_000)

    const second = await shipped([pi], { as: ['ship-test'], folder: 'other' }, other)
    expect(second.code, second.text).toBe(0)
    await vi.waitFor(() => expect(pi.journal(unit)).toMatch(/28-other runs/), 45_000)
    const third = await shipped([pi], {}, one)
    expect(third.text).toMatch(/nothing sent/)
    await vi.waitFor(() => expect(pi.journal(unit)).toMatch(/28-other runs\s[\s\S]*28-one runs/), 45_000)

    const pid = pi.pid(unit)
    await shipped([pi], {}, one)
    expect(pi.pid(unit)).toBe(pid)
  })

  test('three versions stay, whoever is current', async () => {
    const pi = await withVersion('many')
    const made = [readlinkSync(join(pi.home, 'cluster/current'))]
    for (const says of ['Second', 'Third', 'Fourth']) {
      await changeProgram(says)
      expect((await shipped([pi])).code).toBe(0)
      made.push(readlinkSync(join(pi.home, 'cluster/current')))
    }
    expect(versionsOn(pi).map((name) => `versions/${name}`)).toEqual(made.slice(1).sort())
  })

  test("the configuration there is the reader's, however it was edited, until --new-config", async () => {
    const pi = await withVersion('config', { set: ['slave.socket_port=7001'] })
    const config = 'cluster/rpicluster.cfg'
    const bundled = join(folder, 'bundle/rpicluster.cfg')
    const fresh = await readFile(bundled, 'utf8')
    onTestFinished(() => writeFile(bundled, fresh))
    expect(pi.text(config)).toBe(
      fresh.replace(/(\[slave\]\n.*\nsocket_port = )\d+/, (_, before) => `${before}7001`),
    )
    expect(pi.text('cluster/current/rpicluster.cfg')).toBe(pi.text(config))

    // What was set is carried into a new one.
    await writeFile(bundled, fresh.replace('master_ip = 127.0.0.1', 'master_ip = 192.0.2.1'))
    const carried = await shipped([pi])
    expect(carried.lines).toContain('config | rpicluster.cfg is new, and keeps [slave] socket_port = 7001.')
    expect(pi.text(config)).toMatch(/\nsocket_port = 7001\n[\s\S]*\nmaster_ip = 192\.0\.2\.1\n/)

    // An editor such as sed -i leaves a file in the place of the link.
    const edited = `${pi.text(config)}; my own line\n`
    rmSync(join(pi.home, 'cluster/current/rpicluster.cfg'))
    pi.write('cluster/current/rpicluster.cfg', edited)
    await writeFile(bundled, fresh)
    await changeProgram('With another version')
    const kept = await shipped([pi])
    expect(kept.lines).toContain('config | rpicluster.cfg stays as you have changed it there.')
    expect([pi.text(config), pi.text('cluster/current/rpicluster.cfg')]).toEqual([edited, edited])

    pi.write(config, edited.replaceAll(/^master_ip.*\n/gm, ''))
    const nowhere = await shipped([pi], { connectTo: 'localhost' })
    expect([nowhere.code, nowhere.lines.at(-1)]).toEqual([
      1,
      "config | rpicluster.cfg, as it is there: The configuration has no master_ip in its section [slave]. --new-config brings the bundle's.",
    ])
    pi.write(config, edited)

    const anew = await shipped([pi], { newConfig: true })
    expect(anew.lines).toContain(
      "config | rpicluster.cfg is the bundle's now. The one before is kept as rpicluster.cfg.before.",
    )
    expect([pi.text(config), pi.text(`${config}.before`)]).toEqual([fresh, edited])
  })

  test('a dry run shows each command, and changes nothing', async () => {
    const pi = pis.add('dry')
    const first = await shipped([pi], { as: ['slave'], dryRun: true })
    expect(first.code, first.text).toBe(0)
    expect(readdirSync(pi.home)).toEqual([])
    expect(pi.commands().filter((line) => CHANGE.test(line))).toEqual([])
    for (const command of [
      "would run: ssh dry 'umask 022 && mkdir -p cluster/versions cluster/.ship'",
      "| ssh dry 'tar -xof - -C cluster/versions/.incoming'",
      "would run: ssh dry 'cd cluster && ln -sfn versions/",
      "would run: ssh dry 'cd cluster/current && node service.js slave --install'",
    ])
      expect(first.text).toContain(command)

    await shipped([pi])
    const before = filesOf(pi.home).map((file) => [file, pi.text(file)])
    pi.commands()
    await changeProgram('Not shipped')
    await shipped([pi], { dryRun: true, connectTo: 'localhost' })
    await shipped([pi], { dryRun: true, back: true })
    expect(filesOf(pi.home).map((file) => [file, pi.text(file)])).toEqual(before)
    expect(pi.commands().filter((line) => CHANGE.test(line))).toEqual([])
  })

  test('what is wrong with a machine is told, and the others get theirs', async () => {
    const [good, noNode, oldNode, bits32, userland32, full, taken] = [
      'good',
      'no-node',
      'old-node',
      'bits32',
      'userland32',
      'full',
      'taken',
    ].map((name) => pis.add(name)) as [Pi, Pi, Pi, Pi, Pi, Pi, Pi]
    noNode.standIn('node', '#!/bin/sh\necho "sh: 1: node: not found" >&2\nexit 127\n')
    oldNode.standIn('node', '#!/bin/sh\necho v18.20.4\n[ "$1" = --version ] || echo arm64\n')
    bits32.standIn('uname', '#!/bin/sh\necho armv7l\n')
    userland32.standIn('uname', '#!/bin/sh\necho aarch64\n')
    userland32.standIn('node', '#!/bin/sh\n[ "$1" = --version ] && echo v20.19.0 || echo arm\n')
    full.standIn(
      'df',
      '#!/bin/sh\necho Filesystem 1024-blocks Used Available Capacity Mounted on\necho /dev/root 15000000 14990000 10000 100% /\n',
    )
    mkdirSync(join(taken.home, 'cluster'))
    taken.write('cluster/thesis.txt', 'years of work')
    pis.addName('stranger', join(good.folder, 'no-such-key'))
    pis.addName('off', join(good.folder, 'key'), await freePort())
    const unknownKey = await Pis.start()
    onTestFinished(() => unknownKey.stop())
    pis.addName('unknown-key', join(good.folder, 'key'), unknownKey.port)

    const { code, lines, text } = await shipped([
      ...[good, noNode, oldNode, bits32, userland32, full, taken].map(({ name }) => name),
      ...['stranger', 'off', 'unknown-key', 'nowhere.invalid'],
    ])
    expect(code).toBe(1)
    const of = (host: string) =>
      lines.flatMap((line) => (line.split(' | ')[0]?.trim() === host ? line.split(' | ')[1] : []))
    expect(of('good').at(-1), text).toMatch(
      /^start it there by hand: cd cluster\/current && node master\.js, or /,
    )
    expect(filesOf(join(good.home, 'cluster/current/'))).toContain('slave.js')
    for (const [host, problem] of [
      ['no-node', /^node does not start \(sh: 1: node: not found\)\. Install Node 20\.19 or later/],
      ['old-node', /^Node is v18\.20\.4, and the programs need 20\.19 or later/],
      ['bits32', /^uname -m says armv7l, and the programs need a 64-bit system/],
      ['userland32', /^Node is one for arm, so the system is a 32-bit one on a 64-bit kernel/],
      ['full', /^10 MB are free for cluster, and 20 MB should be/],
      ['taken', /^There are other things in cluster\. Name a new folder/],
      ['stranger', /^No connection \(.*Permission denied.*\)\. .*: ssh-copy-id stranger$/],
      ['off', /^No connection \(.*refused\)\. .*raspi-config/],
      ['unknown-key', /^No connection \(Host key verification failed\.\)\. .*: ssh unknown-key$/],
      ['nowhere.invalid', /^No connection \(.*Could not resolve.*\)\. Is nowhere\.invalid its name\?/],
    ] as const)
      expect(of(host), host).toEqual([expect.stringMatching(problem)])
    for (const pi of [noNode, oldNode, bits32, userland32, full]) expect(readdirSync(pi.home)).toEqual([])
    expect(readdirSync(join(taken.home, 'cluster'))).toEqual(['thesis.txt'])
  })

  test('who is not root installs a service by sudo, or is told to', async () => {
    const pi = pis.add('user')
    pi.standIn('id', '#!/bin/sh\necho 1000\n')
    pi.standIn('sudo', '#!/bin/sh\necho "sudo: a password is required" >&2\nexit 1\n')
    const { code, lines } = await shipped([pi], { as: ['slave'] })
    expect(code).toBe(1)
    expect(lines).toEqual([
      'user | sudo does not work without a password (sudo: a password is required), and a service is installed by it. Allow it there, by sudo visudo.',
    ])
    // Nothing else in a folder of one's own needs it.
    const copied = await shipped([pi])
    expect(copied.code, copied.text).toBe(0)

    // What stands in the way of the folder is a file, which this sudo has the right to take away.
    pi.write('in the way', '')
    const folder = 'in the way/cluster'
    expect((await shipped([pi], { folder })).lines).toEqual([
      'user | sudo does not work without a password (sudo: a password is required), and in the way/cluster is made by it. Allow it there, by sudo visudo, or name a folder in your home: --folder cluster.',
    ])
    pi.standIn(
      'sudo',
      `#!/bin/sh
[ "$1" = -n ] && shift
case $1 in
  mkdir) rm "in the way"; exec "$@" ;;
  chown) echo "$2, $3" > chown.log ;;
esac
`,
    )
    const made = await shipped([pi], { folder })
    expect(made.code, made.text).toBe(0)
    expect(pi.text('chown.log')).toBe('1000:1000, in the way/cluster\n')
  })

  test('a service that does not stay up, and a version before that is not there, are told', async () => {
    const pi = pis.add('weak')
    expect((await shipped([pi], { back: true })).lines).toEqual([
      'weak | There is no version in cluster. Without --back, one is brought there.',
    ])
    pi.standIn('systemctl', '#!/bin/sh\n[ "$1" = is-active ] && echo activating && exit 3\nexit 0\n')
    const { code, lines } = await shipped([pi], { as: ['slave'] })
    expect(code).toBe(1)
    expect(lines.at(-1)).toBe(
      'weak | rpicluster-slave is activating, not active. Its log says why: journalctl -u rpicluster-slave -f. With --back, the version before takes its place.',
    )
    expect((await shipped([pi], { back: true })).text).toMatch(
      /^weak \| There is no version before \w+ in cluster\.$/,
    )
  })

  test('what does not arrive as it was sent, or cannot be read there, never becomes the current version', async () => {
    const pi = await withVersion('broken')
    const current = readlinkSync(join(pi.home, 'cluster/current'))
    await changeProgram('Never to run')
    pi.standIn('tar', '#!/bin/sh\n/usr/bin/tar "$@" && echo >> "$4/slave.js"\n')
    const garbled = await shipped([pi])
    expect([garbled.code, garbled.lines.at(-1)]).toEqual([
      1,
      expect.stringMatching(
        /^broken \| This did not work: .*: sha256sum: WARNING: 1 computed checksum did NOT match$/,
      ),
    ])
    pi.standIn('tar', '#!/bin/sh\nexec /usr/bin/tar "$@"\n')
    pi.standIn(
      'node',
      `#!/bin/sh\n[ "$1 $2" = "--check slave.js" ] && exit 1\nexec ${process.execPath} "$@"\n`,
    )
    const unread = await shipped([pi])
    expect([unread.code, unread.lines.at(-1)]).toEqual([
      1,
      expect.stringMatching(/^broken \| This did not work: .*: Node cannot read slave\.js$/),
    ])
    expect(readlinkSync(join(pi.home, 'cluster/current'))).toBe(current)
    expect(versionsOn(pi)).toEqual(['.incoming', current.slice('versions/'.length)])
  })

  test('what is cut off, changed there, or named so that a shell would act on it, does no harm', async () => {
    const pi = pis.add('odd')
    const name = "o'dd $(touch harm); touch harm"
    const first = await shipped([pi], { folder: name })
    expect(first.code, first.text).toBe(0)
    expect(readdirSync(pi.home)).toEqual([name])
    const current = join(pi.home, name, 'current')
    writeFileSync(join(current, 'slave.js'), 'mended there')
    mkdirSync(join(pi.home, name, 'versions/.incoming'))
    const second = await shipped([pi], { folder: name })
    expect(second.code, second.text).toBe(0)
    expect(second.text).toMatch(/1 of \d files sent/)
    expect(await readFile(join(current, 'slave.js'), 'utf8')).toContain('Connecting to the master')
    expect(await readFile(`${await realpath(current)}.changed/slave.js`, 'utf8')).toBe('mended there')
  })

  test('the command ships a chapter that makes no services, and says how to start it; what cannot be is told', async () => {
    const pi = pis.add('command')
    const run = (...args: string[]) =>
      execa(process.execPath, [TUTORIAL, 'ship', '--out', 'of-6', '--ssh-config', pis.sshConfig, ...args], {
        cwd: folder,
        env: { INIT_CWD: folder },
        reject: false,
        all: true,
      })
    const { exitCode, all } = await run('6', 'command', '--folder', 'six', '--connect-to', '192.0.2.7')
    expect(exitCode, all).toBe(0)
    expect(all).toMatch(/\| start it there by hand: cd six\/current && node master\.js, or node slave\.js$/)
    expect(pi.text('six/current/rpicluster.cfg')).toMatch(/\nmaster_ip = 192\.0\.2\.7\n/)

    const wrong = await run('--as', 'cook', '6', 'command')
    expect([wrong.exitCode, wrong.stderr]).toEqual([
      2,
      '06-slave-details has no program cook. It has: master, slave.',
    ])
  })

  test('what cannot be brought to any machine is told before one is asked', async () => {
    for (const [options, problem] of [
      [{ as: ['slave'] }, /^06-slave-details has no program service, which would make a service of slave/],
      [{ set: ['slave.mastr_ip=1'] }, 'The configuration has no mastr_ip in its section [slave].'],
      [{ set: ['port'] }, '--set takes SECTION.KEY=VALUE, such as node.port=7000, not "port".'],
      [{ folder: '/' }, /^--folder takes a folder on the Pi/],
      [{ folder: '-rf' }, /^--folder takes a folder on the Pi/],
      [{ folder: 'a/../..' }, /^--folder takes a folder on the Pi/],
      [{ back: true, newConfig: true }, /^--back takes the version before as it is/],
    ] as const)
      await expect(shipped(['nowhere.invalid'], options, findChapter('6'))).rejects.toThrow(problem)
    await expect(shipped(['nowhere.invalid'], { connectTo: 'x' }, findChapter('3'))).rejects.toThrow(
      /^No address to connect to is known of 03-sockets/,
    )
    for (const host of ['-oProxyCommand=touch harm', '', 'a b'])
      await expect(shipped([host], {}, findChapter('6'))).rejects.toThrow(
        `"${host}" is no name of a machine.`,
      )
  })
})

/** A chapter with a program that says its name, and one that makes a service of it. */
function madeUp(path: string, name: string): Chapter {
  mkdirSync(join(path, 'src'), { recursive: true })
  writeFileSync(
    join(path, 'package.json'),
    JSON.stringify({
      name,
      type: 'module',
      engines: { node: '>=20.19' },
      scripts: { service: 'node --import tsx src/service.ts' },
      cluster: { programs: { 'ship-test': { ready: 'runs' } } },
    }),
  )
  writeFileSync(join(path, 'src/ship-test.ts'), `console.log('${name} runs')\nsetInterval(() => {}, 1000)\n`)
  writeFileSync(join(path, 'src/service.ts'), SERVICE)
  symlinkSync(join(ROOT, 'packages/tutorial/node_modules'), join(path, 'node_modules'))
  return readChapter(path)
}

/** The names of the versions on a Pi. */
function versionsOn(pi: Pi): string[] {
  return readdirSync(join(pi.home, 'cluster/versions')).sort()
}
