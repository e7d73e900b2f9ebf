/** `pnpm ship NN HOST...`: a chapter's bundle on Pis, and running there. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { readKeyFile } from '@rpi-cluster/core/key-files'
import { OperationalError } from '@rpi-cluster/core/lifecycle'
import { makeBundle } from '../bundle/bundle.ts'
import { type Chapter, INSTALLER } from '../chapters/chapters.ts'
import type { Program } from '../chapters/cluster.ts'
import type { Setting } from '../chapters/config-file.ts'
import { configFilesOf } from '../chapters/ports.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { settingOf, withValue } from './config-values.ts'
import { checkMachine } from './machine.ts'
import { type Parcel, parcelOf } from './parcel.ts'
import { HostError, Remote } from './remote.ts'
import { sh } from './shell.ts'
import { Versions } from './versions.ts'

/** How long a service is given until it is asked how it is, in s: one that cannot start has ended by then. */
const SETTLED_S = 2

export interface ShipOptions {
  /** The programs that are to be services there. Default: those that are by now. */
  as?: readonly string[]
  /** The address to write where these programs look for the one that they connect to. */
  connectTo?: string
  /** Other values for the configuration, such as `node.port=7000`. */
  set?: readonly string[]
  /** The bundle's configuration takes the place of the reader's. */
  newConfig?: boolean
  /** Where it goes on the machine. */
  folder?: string
  /** The key file of the node that the program is there: it is brought to where the service looks for it. */
  key?: string
  /** The version before takes its place again, and nothing is brought. */
  back?: boolean
  /** What would change is shown. */
  dryRun?: boolean
  /** A configuration file for ssh. */
  sshConfig?: string
}

/** Where the bundle is made. */
interface Here {
  /** Its folder, absolute. */
  bundle: string
  /** The folder that paths are shown from: where the reader typed. */
  from: string
}

/** A node's key, on its way. */
interface Key {
  node: string
  text: string
  /** Where it goes on the machine. */
  place: string
}

/** What is to be done on each machine. */
interface Order {
  chapter: Chapter
  folder: string
  options: ShipOptions
  settings: { file: string; setting: Setting }[]
  key?: Key
  /** Nothing when it is to go back. */
  parcel?: Parcel
  /** The oldest Node that will do. */
  node: string
}

/**
 * Brings a chapter's bundle to machines, side by side. What keeps one of them from it is told, and the others go on.
 *
 * @returns the exit code: 1 when a machine has not got it, or does not run it
 * @throws ReaderError when nothing can be brought to any
 */
export async function ship(
  chapter: Chapter,
  hosts: readonly string[],
  options: ShipOptions,
  here: Here,
): Promise<number> {
  for (const host of hosts) {
    // ssh would take it for an option.
    if (!/^[^-\s\p{C}][^\s\p{C}]*$/u.test(host)) throw new ReaderError(`"${host}" is no name of a machine.`)
  }
  const order = await orderFor(chapter, hosts, options, here)
  const sockets = mkdtempSync(join(tmpdir(), 'ship-'))
  const width = Math.max(...hosts.map((host) => host.length))
  try {
    const outcomes = await Promise.all(
      [...new Set(hosts)].map(async (host, index) => {
        const prefixed = (text: string) =>
          text
            .split('\n')
            .map((line) => `${host.padEnd(width)} | ${line}`)
            .join('\n')
        const say = (text: string) => console.log(prefixed(text))
        const remote = new Remote(host, {
          sshConfig: options.sshConfig,
          socket: join(sockets, String(index)),
          instead: options.dryRun ? (command) => say(`would run: ${command}`) : undefined,
        })
        try {
          await shipTo(remote, order, say)
          return true
        } catch (error) {
          if (!(error instanceof HostError)) throw error
          console.error(prefixed(error.message))
          return false
        } finally {
          await remote.close()
        }
      }),
    )
    return outcomes.every(Boolean) ? 0 : 1
  } finally {
    rmSync(sockets, { recursive: true, force: true })
  }
}

/** Checks what the reader wants, and makes the bundle. */
async function orderFor(
  chapter: Chapter,
  hosts: readonly string[],
  options: ShipOptions,
  here: Here,
): Promise<Order> {
  const { as = [], set = [], connectTo, back = false } = options
  const programs = as.map((name) => programOf(chapter, name))
  if (as.length > 0 && !chapter.commands.includes(INSTALLER))
    throw new ReaderError(
      `${chapter.name} has no program ${INSTALLER}, which would make a service of ${as.join(' and ')}. Without --as it is copied, and you are told how to start it.`,
    )
  if (
    back &&
    (as.length > 0 ||
      set.length > 0 ||
      connectTo !== undefined ||
      options.newConfig ||
      options.key !== undefined)
  )
    throw new ReaderError('--back takes the version before as it is. Say the rest in a second command.')
  const key = options.key === undefined ? undefined : await keyFor(options.key, chapter, programs, hosts)
  const folder = options.folder ?? `/opt/rpicluster/${chapter.name}`
  if (!/^[^-~\s\p{C}][^\p{C}]*$/u.test(folder) || /^[./]+$|(^|\/)\.\.(\/|$)/.test(folder))
    throw new ReaderError(
      '--folder takes a folder on the Pi: an absolute path, or one that is counted from your home there, such as cluster.',
    )
  const settings = [
    ...set.map(settingOf),
    ...(connectTo === undefined ? [] : peerSettings(chapter, programs, connectTo)),
  ]
  const file = chapter.config
  if (settings.length > 0 && file === undefined)
    throw new ReaderError(`${chapter.name} has no configuration: its values are in its programs.`)
  const order = {
    chapter,
    options,
    folder: posix.normalize(folder).replace(/\/$/, ''),
    settings: settings.map((setting) => ({ file: file ?? '', setting })),
    node: '0',
    ...(key && { key }),
  }
  if (back) return order

  const made = await makeBundle(chapter, here.bundle, here.from)
  for (const notice of made.notices) console.log(notice)
  const parcel = parcelOf(made.folder, made.files, configFilesOf(chapter))
  settings.reduce(withValue, parcel.configs.get(file ?? '') ?? '') // or it says what is not there
  const { engines } = JSON.parse(readFileSync(join(made.folder, 'package.json'), 'utf8'))
  return { ...order, parcel, node: engines.node.replace(/^>=/, '') }
}

/** A key, as its machine is to have it. */
async function keyFor(
  path: string,
  { name }: Chapter,
  programs: readonly Program[],
  hosts: readonly string[],
): Promise<Key> {
  const [program, another] = programs
  if (!program || another || hosts.length > 1)
    throw new ReaderError('A key is that of one node: name one machine, and one program with --as.')
  if (program.keyFile === undefined)
    throw new ReaderError(`${name} does not say where a service of ${program.name} looks for its key.`)
  try {
    const { node } = await readKeyFile(path)
    return { node, text: readFileSync(path, 'utf8'), place: program.keyFile }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ReaderError(error instanceof OperationalError ? why : `Cannot read the key: ${why}`)
  }
}

function programOf({ name, programs }: Chapter, wanted: string): Program {
  const program = programs.find((program) => program.name === wanted)
  if (program) return program
  throw new ReaderError(
    `${name} has no program ${wanted}. It has: ${programs.map(({ name }) => name).join(', ')}.`,
  )
}

/** Where the programs, or all of the chapter, look for the one that they connect to. */
function peerSettings(chapter: Chapter, programs: readonly Program[], value: string): Setting[] {
  const places = (programs.length > 0 ? programs : chapter.programs).flatMap(
    ({ peerAddress }) => peerAddress ?? [],
  )
  if (places.length === 0)
    throw new ReaderError(
      `No address to connect to is known of ${programs.map(({ name }) => name).join(', ') || chapter.name}. --set SECTION.KEY=${value} writes it.`,
    )
  // Several programs may connect to the same one.
  return [...new Set(places)].map((place) => settingOf(`${place}=${value}`))
}

async function shipTo(remote: Remote, order: Order, say: (text: string) => void): Promise<void> {
  const { chapter, folder, options, parcel } = order
  const versions = await Versions.find(remote, folder, parcel)
  if (!parcel) {
    const version = await versions.goBack()
    say(`${options.dryRun ? 'would be' : 'is'} back at ${version}, in ${folder}`)
    await install(remote, order, versions, say, true)
    return
  }

  const machine = await checkMachine(remote, {
    folder,
    node: order.node,
    kilobytes: parcel.size / 1000,
    asRoot: (options.as ?? versions.services).length > 0,
  })
  say(`${machine.shown}: it will do`)
  await versions.prepare(machine.isFolderOfRoot)
  const sent = await versions.bring(parcel)
  if (!options.dryRun)
    say(
      sent
        ? `${chapter.name} is there as ${parcel.version}: ${sent.length} of ${parcel.checksums.size} files sent`
        : `${chapter.name} is there already, as ${parcel.version}: nothing sent`,
    )
  const { isChanged, notices } = await versions.configure(parcel, order.settings, options.newConfig ?? false)
  for (const notice of notices) say(options.dryRun ? `then ${notice}` : notice)
  if (order.key) {
    await versions.bringKey(order.key)
    if (!options.dryRun) say(`the key of ${order.key.node} is there, as ${order.key.place}`)
  }
  const isOther = await versions.switchTo(parcel.version)
  await endServices(remote, order, versions, say)
  await versions.rememberServices(options.as ?? versions.services)
  await install(
    remote,
    order,
    versions,
    say,
    sent !== undefined || isOther || isChanged || order.key !== undefined,
  )
}

/** Ends what was to be a service until now, and is not any more: nothing would bring it the next version. */
async function endServices(
  remote: Remote,
  { options: { as, dryRun } }: Order,
  versions: Versions,
  say: (text: string) => void,
): Promise<void> {
  for (const name of versions.services) {
    if (as === undefined || as.includes(name)) continue
    const unit = `rpicluster-${name}`
    const [isOurs] = await remote.read(versions.hasUnit(unit))
    if (!isOurs?.isOk) continue
    const sudo = '$([ "$(id -u)" = 0 ] || echo sudo -n)'
    await remote.change(`${sudo} ${sh`systemctl disable --now ${unit}`}`)
    if (!dryRun) say(`${unit} is no service there any more`)
  }
}

/** Makes services of the programs that are to be some, or says how they are started by hand. */
async function install(
  remote: Remote,
  order: Order,
  versions: Versions,
  say: (text: string) => void,
  isOther: boolean,
): Promise<void> {
  const { chapter, options } = order
  const names = options.as ?? versions.services
  if (names.length === 0) {
    const commands = chapter.programs.map(({ name }) => `node ${name}.js`).join(', or ')
    say(`start it there by hand: cd ${versions.current} && ${commands}`)
    return
  }
  for (const name of names) {
    const unit = `rpicluster-${name}`
    const state = sh`systemctl is-active ${unit}`
    // It may be one of another chapter's, or of another version, where the last time was broken off.
    const [before, isCurrent] = await remote.read(state, versions.hasUnit(unit, 'current'))
    if (isOther || !before?.isOk || !isCurrent?.isOk)
      await remote.change(sh`cd ${versions.current} && node ${INSTALLER}.js ${name} --install`)
    if (options.dryRun) continue
    const [now] = await remote.read(`sleep ${SETTLED_S}; ${state}`)
    const log = `journalctl -u ${unit} -f`
    if (!now?.isOk)
      throw new HostError(
        `${unit} is ${now?.why}, not active. Its log says why: ${log}. With --back, the version before takes its place.`,
      )
    say(`${unit} is active, and its log is there: ${log}`)
  }
}
