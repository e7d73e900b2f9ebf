/**
 * Machines that are reached by ssh, for tests: a real sshd on this one, of this user, where each name is a folder of its
 * own. What only root or systemd could do there is done by stand-ins, where there is no other way.
 */
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { freePort, HarnessError, Running } from '../../src/harness/harness.ts'

/** Debian's. By its whole path, since it starts itself again for each connection. */
const SSHD = '/usr/sbin/sshd'

/** True on a Linux where an sshd is installed. In CI it must be, and this throws. */
export function hasSshd(): boolean {
  const isLinux = process.platform === 'linux' // on a Mac, too little behind sshd is as it is on a Pi
  if (isLinux && existsSync(SSHD) && spawnSync('ssh', ['-V']).status === 0) return true
  if (isLinux && process.env['CI'])
    throw new HarnessError('openssh-server is not installed, and CI must run the tests that need it')
  console.warn('openssh-server is not installed, or this is no Linux: the tests that ship to it are left out')
  return false
}

/**
 * True where systemd runs and may be used: in CI, where no service is anybody's own. Elsewhere a stand-in does what
 * matters here.
 */
const HAS_SYSTEMD = existsSync('/run/systemd/system') && process.env['CI'] !== undefined

/** Where units are written to. */
const UNITS = '/etc/systemd/system'

/** It starts a program and ends it, and says whether it runs. */
const SYSTEMCTL = `#!/bin/sh
unit=$UNITS/$2
value() { sed -n "s/^$1=//p" "$unit.service"; }
case $1 in
  daemon-reload) ;;
  restart)
    [ -e "$unit.pid" ] && kill "$(cat "$unit.pid")" 2> /dev/null
    cd "$(value WorkingDirectory)" || exit 1
    setsid $(value ExecStart) >> "$unit.log" 2>&1 < /dev/null &
    echo $! > "$unit.pid" ;;
  is-active)
    if [ -e "$unit.pid" ] && kill -0 "$(cat "$unit.pid")" 2> /dev/null; then echo active; else echo inactive; exit 3; fi ;;
  cat) cat "$unit.service" ;;
  *) exit 1 ;;
esac
`

/** It may do anything without asking. */
const SUDO = `#!/bin/sh
shift
exec "$@"
`

/** One of the machines. */
export class Pi {
  /** What ssh knows it as. */
  readonly name: string
  /** Where everything of it is. */
  readonly folder: string
  /** Where a login begins, and what a path that is not absolute is counted from. */
  readonly home: string

  /** Whether its services are those of the real systemd. */
  readonly #isReal: boolean

  constructor(name: string, folder: string, isReal: boolean) {
    this.name = name
    this.folder = folder
    this.home = join(folder, 'home')
    this.#isReal = isReal
    for (const path of [this.home, join(folder, 'bin'), join(folder, 'units')])
      mkdirSync(path, { recursive: true })
    if (!isReal) {
      this.standIn('systemctl', SYSTEMCTL)
      this.standIn('sudo', SUDO)
    }
    symlinkSync(process.execPath, join(folder, 'bin/node'))
    this.#script(
      join(folder, 'login'),
      `#!/bin/sh
export UNITS=${isReal ? UNITS : join(folder, 'units')} PATH=${folder}/bin:/usr/bin:/bin:/usr/sbin:/sbin
cd ${this.home} && echo "$SSH_ORIGINAL_COMMAND" >> ${folder}/commands && exec sh -c "$SSH_ORIGINAL_COMMAND"
`,
    )
  }

  /** The commands that have come to it since the last call. */
  commands(): string[] {
    const file = join(this.folder, 'commands')
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    writeFileSync(file, '')
    return text.split('\n').filter(Boolean)
  }

  /** Puts another program in the place of one that a login finds there. */
  standIn(command: string, script: string): void {
    const path = join(this.folder, 'bin', command)
    rmSync(path, { force: true })
    this.#script(path, script)
  }

  /** The text of a file, counted from its home. */
  text(path: string): string {
    return readFileSync(join(this.home, path), 'utf8')
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.home, path), text)
  }

  /** What a service has printed. */
  journal(unit: string): string {
    if (this.#isReal) return asRoot('journalctl', '-u', unit, '-o', 'cat', '--no-pager')
    const file = join(this.folder, 'units', `${unit}.log`)
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }

  /** The process of a service. */
  pid(unit: string): number {
    if (this.#isReal) return Number(asRoot('systemctl', 'show', '-p', 'MainPID', '--value', unit))
    return Number(readFileSync(join(this.folder, 'units', `${unit}.pid`), 'utf8'))
  }

  /** Ends a service, or all of them, and takes it away. */
  removeServices(...units: string[]): void {
    if (this.#isReal) {
      for (const unit of units) {
        asRoot('systemctl', 'stop', unit)
        asRoot('rm', '-f', `${UNITS}/${unit}.service`)
      }
      asRoot('systemctl', 'daemon-reload')
      return
    }
    const { stdout } = spawnSync('sh', ['-c', 'cat units/*.pid 2> /dev/null'], {
      cwd: this.folder,
      encoding: 'utf8',
    })
    for (const pid of stdout.split('\n').filter(Boolean)) spawnSync('kill', ['-9', pid])
  }

  #script(path: string, text: string): void {
    writeFileSync(path, text)
    chmodSync(path, 0o755)
  }
}

/** An sshd with as many machines as are asked for. */
export class Pis {
  /** The configuration by which ssh finds them: its `-F`. */
  readonly sshConfig: string
  readonly #folder: string
  readonly port: number
  readonly #sshd: Running
  readonly #pis: Pi[] = []

  private constructor(folder: string, port: number, sshd: Running) {
    this.#folder = folder
    this.port = port
    this.#sshd = sshd
    this.sshConfig = join(folder, 'ssh_config')
    const hostKey = readFileSync(join(folder, 'host-key.pub'), 'utf8')
    writeFileSync(join(folder, 'known_hosts'), `[127.0.0.1]:${port} ${hostKey}`)
    writeFileSync(this.sshConfig, '')
  }

  static async start(): Promise<Pis> {
    const folder = mkdtempSync(join(tmpdir(), 'pis-'))
    const port = await freePort()
    makeKey(join(folder, 'host-key'))
    writeFileSync(join(folder, 'authorized_keys'), '')
    writeFileSync(
      join(folder, 'sshd_config'),
      `ListenAddress 127.0.0.1
Port ${port}
HostKey ${folder}/host-key
AuthorizedKeysFile ${folder}/authorized_keys
PidFile none
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
`,
    )
    if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true }) // Debian's own, which its service makes
    const sshd = new Running(spawn(SSHD, ['-D', '-e', '-f', join(folder, 'sshd_config')], { detached: true }))
    await sshd.says(/Server listening/)
    return new Pis(folder, port, sshd)
  }

  /**
   * One more machine. Each has a key of its own, by which sshd knows who is meant.
   *
   * @param systemd `real` where there is one: what it makes a service has to have a name that nobody else's has
   */
  add(name: string, systemd?: 'real'): Pi {
    const pi = new Pi(name, join(this.#folder, name), systemd === 'real' && HAS_SYSTEMD)
    this.#pis.push(pi)
    const key = join(pi.folder, 'key')
    makeKey(key)
    append(
      join(this.#folder, 'authorized_keys'),
      `restrict,command="${pi.folder}/login" ${readFileSync(`${key}.pub`, 'utf8')}`,
    )
    this.addName(name, key)
    return pi
  }

  /** A name for ssh, with a key that sshd may or may not know. */
  addName(name: string, key: string, port = this.port): void {
    append(
      this.sshConfig,
      `Host ${name}
  HostName 127.0.0.1
  Port ${port}
  User ${userInfo().username}
  IdentityFile ${key}
  IdentitiesOnly yes
  UserKnownHostsFile ${this.#folder}/known_hosts
  GlobalKnownHostsFile /dev/null
`,
    )
  }

  async stop(): Promise<void> {
    for (const pi of this.#pis) pi.removeServices()
    await this.#sshd.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Runs a command of this machine, and returns what it printed. */
function asRoot(...command: string[]): string {
  const [name = '', ...args] = userInfo().uid === 0 ? command : ['sudo', '-n', ...command]
  return execaSync(name, args, { reject: false }).stdout
}

function makeKey(path: string): void {
  execaSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path])
}

function append(path: string, text: string): void {
  writeFileSync(path, text, { flag: 'a' })
}
