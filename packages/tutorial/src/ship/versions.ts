/**
 * The versions of a bundle on a machine. In the folder of a chapter there are
 *
 * - `versions/HASH`: a bundle, named after its content, which never changes
 * - `current` and `previous`: links to two of these
 * - the configuration, which every version reads by a link
 * - `.ship`: the configuration as it was brought there, and which programs are services
 */
import { posix } from 'node:path'
import { type Setting, shownSetting } from '../chapters/config-file.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { carriedOver, withValue } from './config-values.ts'
import { MEMORY_FOLDER } from './machine.ts'
import { archiveOf, checksumList, type Parcel } from './parcel.ts'
import { type Answer, HostError, lastLine, type Remote } from './remote.ts'
import { sh } from './shell.ts'

/** How many versions stay: the current one, the one before, and one more. */
const KEPT = 3

/** What is made after this can be read by everybody, whatever the machine does else: a service has a user of its own. */
const FOR_ALL = ['umask', '022']

/** A configuration that was found there. */
interface FoundConfig {
  /** As the programs read it. */
  theirs: string | undefined
  /** As it was brought there. */
  shipped: string | undefined
  /** Whether an editor has put a file in the place of the link, as `sed -i` does: the programs read that. */
  isUnlinked: boolean
}

/** What was found in the folder of a chapter. */
interface Found {
  /** The names of two versions, where there are such. */
  current: string | undefined
  previous: string | undefined
  /** The names of all, newest first. */
  versions: string[]
  /** The programs that are services. */
  services: string[]
  /** The files of the parcel that are there: in its own version, and in the current one. */
  there: string[]
  inCurrent: string[]
  configs: Map<string, FoundConfig>
}

export class Versions {
  readonly #remote: Remote
  readonly #folder: string
  readonly #found: Found

  private constructor(remote: Remote, folder: string, found: Found) {
    this.#remote = remote
    this.#folder = folder
    this.#found = found
  }

  /**
   * Looks at what is there.
   *
   * @param folder an absolute path on the machine, or one that is counted from the home there
   * @param parcel what is to be brought, if anything
   */
  static async find(remote: Remote, folder: string, parcel?: Parcel): Promise<Versions> {
    const files = [...(parcel?.checksums.keys() ?? [])]
    const configs = [...(parcel?.configs.keys() ?? [])]
    const sums = (place: string) => sh`cd ${`${folder}/${place}`} && sha256sum -- ${files} < /dev/null`
    const text = (place: string) => sh`cat ${`${folder}/${place}`}`
    const [current, previous, versions, services, there, inCurrent, ...texts] = await remote.read(
      sh`readlink ${`${folder}/current`}`,
      sh`readlink ${`${folder}/previous`}`,
      sh`ls -At ${`${folder}/versions`}`,
      text(`${MEMORY_FOLDER}/services`),
      sums(`versions/${parcel?.version}`),
      sums('current'),
      ...configs.flatMap((config) => [
        `${text(`current/${config}`)} 2> /dev/null || ${text(config)}`,
        text(`${MEMORY_FOLDER}/${config}`),
        sh`cd ${`${folder}/current`} && [ -f ${config} ] && [ ! -L ${config} ]`,
      ]),
    )
    const linked = (link?: Answer) => (link?.isOk ? posix.basename(lastLine(link.stdout)) : undefined)
    const lines = (list?: Answer) => (list?.isOk ? list.stdout.split('\n').filter(Boolean) : [])
    const same = (sums?: Answer) =>
      (sums?.stdout ?? '').split('\n').flatMap((line) => {
        const [checksum = '', file = ''] = line.split('  ')
        return parcel?.checksums.get(file) === checksum ? file : []
      })
    return new Versions(remote, folder, {
      current: linked(current),
      previous: linked(previous),
      versions: lines(versions),
      services: lines(services),
      there: same(there),
      inCurrent: same(inCurrent),
      configs: new Map(
        configs.map((config, index) => {
          const [theirs, shipped, unlinked] = texts.slice(3 * index)
          const textOf = (answer?: Answer) => (answer?.isOk ? answer.stdout : undefined)
          return [
            config,
            { theirs: textOf(theirs), shipped: textOf(shipped), isUnlinked: unlinked?.isOk ?? false },
          ]
        }),
      ),
    })
  }

  /** Where the current version is. */
  get current(): string {
    return `${this.#folder}/current`
  }

  /** The programs that are services there. */
  get services(): readonly string[] {
    return this.#found.services
  }

  /**
   * A command that tells whether a unit runs a version of this folder, or the current one. (It has a version's own path,
   * and not that of a link: so it runs what it was installed with, until it is installed anew.)
   */
  hasUnit(unit: string, place: 'versions' | 'current' = 'versions'): string {
    return sh`systemctl cat ${unit} | grep -qF "$(cd ${`${this.#folder}/${place}`} && pwd -P)"`
  }

  /** Makes the folder, if there is none. */
  async prepare(isOfRoot: boolean): Promise<void> {
    const folder = this.#folder
    if (this.#found.current !== undefined) return
    if (isOfRoot)
      await this.#remote.change(
        sh`${FOR_ALL} && sudo -n mkdir -p ${folder} && sudo -n chown "$(id -u):$(id -g)" ${folder}`,
      )
    await this.#remote.change(
      sh`${FOR_ALL} && mkdir -p ${[`${folder}/versions`, `${folder}/${MEMORY_FOLDER}`]}`,
    )
  }

  /**
   * Brings a version there: whole, or not at all. Only what is not there in the current version is sent. (rsync would
   * do that too, where both ends have it, and in a different way each. What every system has is tar and sha256sum.)
   *
   * @returns the files that were sent; nothing when all of it was there
   */
  async bring(parcel: Parcel): Promise<string[] | undefined> {
    const files = [...parcel.checksums.keys()]
    const { there, inCurrent } = this.#found
    if (there.length === files.length) return undefined

    const [incoming, version] = [`${this.#folder}/versions/.incoming`, parcel.version]
    const other = files.filter((file) => !inCurrent.includes(file))
    await this.#remote.change(sh`rm -rf ${incoming} && mkdir ${incoming}`)
    if (inCurrent.length > 0)
      await this.#remote.change(
        sh`cd ${this.current} && tar -cf - -- ${inCurrent} | tar -xof - -C ../.incoming`,
      )
    if (other.length > 0)
      await this.#remote.change(sh`tar -xof - -C ${incoming}`, {
        data: await archiveOf(parcel, other),
        shown: sh`tar --format ustar -cf - -C ${parcel.folder} -- ${other}`,
      })
    // What arrived is what was sent.
    await this.#remote.change(sh`cd ${incoming} && sha256sum -c - >&2`, {
      data: checksumList(parcel.checksums),
      shown: sh`(cd ${parcel.folder} && sha256sum -- ${files})`,
    })
    // Everyone may read it, and Node can read it too.
    const links = [...parcel.configs.keys()].map((config) => sh` && ln -s ../../${config} ${config}`)
    await this.#remote.change(
      `${sh`cd ${incoming} && chmod -R u+rwX,go+rX .`}${links.join('')} && for file in *.js; do node --check "$file" || { echo "Node cannot read $file" >&2; exit 1; }; done`,
    )
    // One that is there and differs has been changed there: it stays beside until others come.
    const aside = sh`rm -rf ${version}.changed && mv ${version} ${version}.changed && `
    const isChanged = this.#found.versions.includes(version)
    await this.#remote.change(
      `${sh`cd ${`${this.#folder}/versions`}`} && ${isChanged ? aside : ''}${sh`mv -T .incoming ${version}`}`,
    )
    return other
  }

  /**
   * Brings the configuration, and leaves in it what the reader has changed there.
   *
   * @param settings the values to write into which file
   * @param isAnew whether the bundle's takes the place of the reader's
   * @returns whether it is another than before, and what to tell of it
   * @throws HostError when there is no place for a value
   */
  async configure(
    { configs }: Parcel,
    settings: readonly { file: string; setting: Setting }[],
    isAnew: boolean,
  ): Promise<{ isChanged: boolean; notices: string[] }> {
    const notices: string[] = []
    let isChanged = false
    for (const [file, fresh] of configs) {
      const { theirs, shipped, isUnlinked } = this.#found.configs.get(file) ?? {}
      const carried = isAnew ? { text: fresh, notices: [] } : carriedOver(theirs, shipped, fresh)
      const own = settings.flatMap((one) => (one.file === file ? one.setting : []))
      const text = withValues(carried.text, own, file)
      notices.push(...carried.notices.map((notice) => `${file} ${notice}.`))
      if (shipped !== fresh) await this.#write(`${MEMORY_FOLDER}/${file}`, fresh)
      if (theirs === text && !isUnlinked) continue
      isChanged = true
      if (isAnew && theirs !== undefined) {
        await this.#write(`${file}.before`, theirs)
        notices.push(`${file} is the bundle's now. The one before is kept as ${file}.before.`)
      }
      await this.#write(file, text)
      if (isUnlinked) await this.#remote.change(sh`cd ${this.current} && ln -sf ../../${file} ${file}`)
      for (const setting of own) notices.push(`${file} has ${shownSetting(text, setting)}.`)
    }
    return { isChanged, notices }
  }

  /** Writes a node's key, in one step, for root alone: systemd hands it over. It goes the way of what is typed, and stands in no command. */
  async bringKey({ place, text }: { place: string; text: string }): Promise<void> {
    const write = sh`umask 077 && mkdir -p ${posix.dirname(place)} && cat > ${place}.new && mv ${place}.new ${place}`
    const sudo = '$([ "$(id -u)" = 0 ] || echo sudo -n)'
    await this.#remote.change(`${sudo} ${sh`sh -c ${write}`}`, { data: text, shown: '(the key)' })
  }

  /**
   * Makes a version the current one, in one step, and forgets those that are older than the last few.
   *
   * @returns false when it is that already
   */
  async switchTo(version: string): Promise<boolean> {
    const { current, versions } = this.#found
    if (current === version) return false
    await this.#link({ current: version, ...(current !== undefined && { previous: current }) })
    const others = versions.filter((name) => name !== version && name !== current && name !== '.incoming')
    const old = others.slice(KEPT - 2).map((name) => `${this.#folder}/versions/${name}`)
    if (old.length > 0) await this.#remote.change(sh`rm -rf ${old}`)
    return true
  }

  /**
   * Makes the previous version the current one, and the other way round.
   *
   * @returns its name
   * @throws HostError when there is none
   */
  async goBack(): Promise<string> {
    const { current, previous } = this.#found
    if (current === undefined)
      throw new HostError(`There is no version in ${this.#folder}. Without --back, one is brought there.`)
    if (previous === undefined)
      throw new HostError(`There is no version before ${current} in ${this.#folder}.`)
    await this.#link({ current: previous, previous: current })
    return previous
  }

  /** Remembers which programs are services there. */
  async rememberServices(names: readonly string[]): Promise<void> {
    if (names.join() !== this.services.join())
      await this.#write(`${MEMORY_FOLDER}/services`, names.map((name) => `${name}\n`).join(''))
  }

  /** Lets links lead to other versions: each is there at every moment, since a rename is a single step. */
  async #link(links: { current: string; previous?: string }): Promise<void> {
    const steps = Object.entries(links)
      .reverse() // current comes last: should it break off before, nothing has changed that runs
      .map(([link, version]) => sh`ln -sfn versions/${version} .${link} && mv -T .${link} ${link}`)
    await this.#remote.change([sh`cd ${this.#folder}`, ...steps].join(' && '))
  }

  /** Writes a file in one step. */
  async #write(file: string, text: string): Promise<void> {
    const path = `${this.#folder}/${file}`
    await this.#remote.change(sh`${FOR_ALL} && cat > ${path}.new && mv ${path}.new ${path}`, {
      data: text,
      shown: '(its text)',
    })
  }
}

function withValues(text: string, settings: readonly Setting[], file: string): string {
  try {
    return settings.reduce(withValue, text)
  } catch (error) {
    if (!(error instanceof ReaderError)) throw error
    throw new HostError(`${file}, as it is there: ${error.message} --new-config brings the bundle's.`)
  }
}
