/**
 * A copy of a chapter, for one test: its log files are the test's own, its clock runs ten times as fast,
 * and its ports are free ones, in the programs' code and in their configuration.
 */
import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { CHAPTERS_FOLDER, type Chapter, readChapter } from '../chapters/chapters.ts'
import { belongsTo } from '../chapters/copied.ts'
import { configFilesOf, portsOf } from '../chapters/ports.ts'
import { Link } from '../faults/link.ts'
import { freePort, freePorts, type Ports, programEnvironment } from '../run/environment.ts'
import { membersOf } from '../run/members.ts'
import { builtProgram } from './built.ts'
import type { ProgramOutput } from './explain-failure.ts'
import { HarnessError } from './patience.ts'
import { Running } from './running.ts'
import { StandIn } from './stand-in.ts'

export interface RunOptions {
  /** Its arguments, after those that package.json says. */
  args?: string[]
  /** Which of its copies, where each has a configuration or a port of its own. Default: 1. */
  copy?: number
  /** The folder to run it in. Default: the copy. */
  cwd?: string
  /** The folder where the reader typed, when it is not where the program runs (pnpm leaves it in INIT_CWD). */
  from?: string
  /** The port that stands in for the one in the programs' code. One in their configuration stays as it is. */
  port?: number
  /** Connects through this link, or these, in place of where they lead. See {@link ChapterCopy.link}. */
  through?: Link | readonly Link[]
  /** A module to load before the program: its path. */
  preload?: string
  /** What else is in its environment. */
  env?: Record<string, string>
}

export interface CopyOptions {
  /** `free`: none that anybody else listens on, and the default. `own`: those that the chapter has. */
  ports?: 'free' | 'own'
  /**
   * What the chapter calls a program that is asked for by another name. Its source, its log file and its section of a
   * configuration are found by that one, too.
   */
  names?: ReadonlyMap<string, string>
}

/** A copy of a chapter, outside the workspace. */
export class ChapterCopy {
  readonly #running: { name: string; running: Running }[] = []
  readonly #standIns: StandIn[] = []
  readonly #links: Link[] = []
  /** Which port stands in for which of those in the programs' code. */
  readonly #fixedPorts: Ports
  /** The chapter, as the copy has it. */
  readonly chapter: Chapter
  /** The copy's absolute path. */
  readonly folder: string
  /** The first port that the copy's programs listen on; a free one when they listen on none. */
  readonly port: number

  /** Whether a reader writes these programs: they run as the reader runs them, from their sources. */
  readonly #isPractised: boolean
  readonly #names: ReadonlyMap<string, string>

  private constructor(
    chapter: Chapter,
    port: number,
    fixedPorts: Ports,
    { isPractised, names }: { isPractised: boolean; names: ReadonlyMap<string, string> },
  ) {
    this.chapter = chapter
    this.#isPractised = isPractised
    this.#names = names
    this.folder = chapter.folder
    this.port = port
    this.#fixedPorts = fixedPorts
  }

  /** Copies a chapter, given by its name or by its folder. */
  static async make(
    chapter: string,
    { ports = 'free', names = new Map() }: CopyOptions = {},
  ): Promise<ChapterCopy> {
    const original = resolve(CHAPTERS_FOLDER, chapter)
    const folder = await mkdtemp(join(tmpdir(), `${basename(original)}-`))
    await cp(original, folder, { recursive: true, filter: belongsTo(original) })
    await symlink(realpathSync(join(original, 'node_modules')), join(folder, 'node_modules'))

    const copy = readChapter(folder)
    const standIns = ports === 'free' ? await freePorts([copy]) : new Map<number, number>()
    const isFixed = new Set(portsOf(copy).flatMap(({ port, isFixed }) => (isFixed ? port : [])))
    for (const file of configFilesOf(copy)) {
      const path = join(folder, file)
      await writeFile(path, withPorts(await readFile(path, 'utf8'), standIns))
    }
    const [first] = portsOf(copy)
    const port = first ? (standIns.get(first.port) ?? first.port) : await freePort()
    return new ChapterCopy(copy, port, new Map([...standIns].filter(([port]) => isFixed.has(port))), {
      isPractised: basename(dirname(original)) === 'practice',
      names,
    })
  }

  /** What each program that was run has printed so far. */
  get outputs(): ProgramOutput[] {
    return this.#running.map(({ name, running }) => ({ name, lines: running.lines }))
  }

  /** The ports that a program of this copy listens on, in the order in which its package.json names them. */
  portsOf(program: string, copy = 1): number[] {
    const own = this.#named(program)
    return portsOf(this.chapter)
      .filter((listening) => listening.program === own && (listening.copy ?? copy) === copy)
      .map(({ port, isFixed }) => (isFixed ? (this.#fixedPorts.get(port) ?? port) : port))
  }

  /** Writes a file of the copy. */
  async write(file: string, text: string): Promise<void> {
    const isProgram = file.startsWith('src/')
    const path = isProgram ? file.replace(/[^/]+(?=\.ts$)/, (name) => this.#named(name)) : file
    // Sections of a configuration, INI or JSON.
    const sections = /^\[([^\]\n]+)\]|(?<=^\s*(?:\{\s*)?")([^"\n]+)(?="\s*:\s*\{)/gm
    await writeFile(
      join(this.folder, path),
      isProgram
        ? text
        : text.replace(sections, (_, ini: string | undefined, json: string | undefined) =>
            ini === undefined ? this.#named(json ?? '') : `[${this.#named(ini)}]`,
          ),
    )
  }

  /** The lines of a log file, parsed. */
  async log(name: string): Promise<Record<string, unknown>[]> {
    const file = name.replace(/[^/]+(?=\.log$)/, (program) => this.#named(program))
    if (!existsSync(join(this.folder, file))) throw new HarnessError(`No program wrote a log file ${file}`)
    const text = await readFile(join(this.folder, file), 'utf8')
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
  }

  /** Runs one program, by itself; by default the first. Resolves when it has said something, or has ended. */
  async run(name = this.chapter.programs[0]?.name ?? 'none', options: RunOptions = {}): Promise<Running> {
    const program = this.#named(name)
    if (!existsSync(join(this.folder, 'src', `${program}.ts`)))
      throw new HarnessError(`There is no program src/${program}.ts`)
    const { copy = 1, args = [] } = options
    const own = membersOf(this.chapter, { [program]: copy }).find(
      (member) => member.program.name === program && member.copy === copy,
    )
    const built = this.#isPractised ? undefined : await builtProgram(this.chapter, program)
    return this.#spawn(`src/${program}.ts`, built ?? ['--import', 'tsx', `src/${program}.ts`], {
      ...options,
      args: [...(own?.args ?? []), ...args],
    })
  }

  /** Runs the whole cluster, as `pnpm start` does. Resolves when it has said something, or has ended. */
  start(options: Omit<RunOptions, 'copy' | 'through'> = {}): Promise<Running> {
    return this.#spawn('start', [join(import.meta.dirname, '../../bin/tutorial.js'), 'start'], options)
  }

  /** Listens where a program would, by default the one that others connect to: they find a {@link StandIn} there. */
  async standIn(program = this.#peer, copy = 1): Promise<StandIn> {
    const standIn = new StandIn()
    this.#standIns.push(standIn)
    await standIn.listen(this.portsOf(program, copy)[0] ?? this.port)
    return standIn
  }

  /**
   * A link to a program, by default to the one that others connect to, on which a test makes faults while it is used:
   *
   *     const link = await chapter.link()
   *     const node = await chapter.run('node', { through: link })
   *     link.set({ toServer: { delayMs: 300 } })
   *
   * Its times are those of the test, and not of the programs' fast clock. Whoever is no program of the chapter connects to
   * its `port`. It ends with the copy.
   *
   * @param which of the ports that the program listens on, counted from 0
   */
  async link(program = this.#peer, copy = 1, which = 0): Promise<Link> {
    const link = await Link.open({ port: this.portsOf(program, copy)[which] ?? this.port })
    this.#links.push(link)
    return link
  }

  /** Ends what still runs, and deletes the copy. */
  async remove(): Promise<void> {
    for (const standIn of this.#standIns) standIn.close()
    await Promise.all(this.#links.map((link) => link.close()))
    await Promise.all(this.#running.map(({ running }) => running.kill()))
    await rm(this.folder, { recursive: true })
  }

  /** What this chapter calls a program that may be asked for by a later name. */
  #named(program: string): string {
    return this.#names.get(program) ?? program
  }

  /** The first program that another connects to, or the first of all. */
  get #peer(): string {
    const { programs } = this.chapter
    const isPeer = ({ name }: { name: string }) => programs.some(({ connectsTo }) => connectsTo === name)
    return (programs.find(isPeer) ?? programs[0])?.name ?? 'none'
  }

  async #spawn(
    name: string,
    command: string[],
    { args = [], cwd = this.folder, from, port, through = [], preload, env }: RunOptions,
  ): Promise<Running> {
    const links = new Map([through].flat().map((link) => [link.serverPort, link.port]))
    const ports = [
      ...links, // for what its configuration says
      ...[...this.#fixedPorts].map(([own, standIn]) => [own, port ?? links.get(standIn) ?? standIn] as const),
    ]
    const running = new Running(
      spawn(process.execPath, [...command, ...args], {
        cwd,
        detached: true, // a process group of its own, as a shell gives to a command
        env: { ...programEnvironment({ ports: new Map(ports), from, preload }), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    )
    this.#running.push({ name, running })
    await running.saidSomething()
    return running
  }
}

/** The text of a configuration with other ports in it, wherever they stand: alone, in a list, in an address. */
function withPorts(text: string, standIns: Ports): string {
  return text.replace(/(?<![\w.])\d+(?![\w.])/g, (number) => String(standIns.get(Number(number)) ?? number))
}
