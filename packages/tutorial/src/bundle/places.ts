/**
 * Where things are in a bundle. A source may refer to a file beside it, as a worker to start or as data to read:
 *
 *     new Worker(new URL('./tile.ts', import.meta.url))
 *     readFileSync(new URL('./page.html', import.meta.url))
 *
 * That file has to come along, and in a bundle it has another place, as the source itself has.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, parse, relative, resolve } from 'node:path'
import { parseSync, Visitor } from 'oxc-parser'
import type { Plugin } from './libraries.ts'

/** Data that a source refers to. */
export interface Data {
  /** Its absolute path. */
  from: string
  /** Its place in the bundle, counted from there. */
  to: string
}

/** What in a source is to be replaced. */
interface Replacement {
  start: number
  end: number
  text: string
}

/** The places of one bundle. */
export class Places {
  /** The chapter's absolute path, without links: so esbuild names the files. */
  readonly #chapter: string
  /** Where each script and each piece of data is in the bundle, by its absolute path. */
  readonly #scripts = new Map<string, string>()
  readonly #data = new Map<string, string>()
  #notTaken: string[] = []

  /** @param chapter the chapter's absolute path */
  constructor(chapter: string) {
    this.#chapter = realpathSync(chapter)
  }

  /** The data that sources have referred to. */
  get data(): Data[] {
    return [...this.#data].map(([from, to]) => ({ from, to }))
  }

  /** Gives a source a place: `tile.js` for `src/tile.ts`, or `tile-2.js` where another source has that. */
  addScript(path: string): string {
    const source = realpathSync(path)
    const known = this.#scripts.get(source)
    if (known) return known
    const place = this.#free(`${parse(source).name}.js`)
    this.#scripts.set(source, place)
    this.#notTaken.push(source)
    return place
  }

  /** Gives a file that is read a place: its own in the chapter, or one in the bundle's own folder. */
  addData(path: string): string {
    const known = this.#data.get(path)
    if (known !== undefined) return known
    const place = this.#counted(path) ?? this.#free(basename(path))
    if (place !== '') this.#data.set(path, place)
    return place
  }

  /** The sources that have come since this was last asked for, by their names in the bundle, without `.js`. */
  takeScripts(): Record<string, string> {
    const scripts = this.#notTaken.map((source) => [parse(this.addScript(source)).name, source])
    this.#notTaken = []
    return Object.fromEntries(scripts)
  }

  /** For esbuild: writes the new places into the sources. */
  plugin(): Plugin {
    return {
      name: 'places',
      setup: ({ onLoad }) => {
        onLoad({ filter: /\.m?ts$/ }, ({ path }) => {
          const text = readFileSync(path, 'utf8')
          return text.includes('import.meta')
            ? { contents: this.#rewritten(path, text), loader: 'ts' }
            : undefined
        })
      },
    }
  }

  #rewritten(path: string, text: string): string {
    const found: Replacement[] = []
    const done = new Set<number>()
    const own = this.#counted(path)
    new Visitor({
      NewExpression: ({ callee, arguments: [file, base] }) => {
        if (callee.type !== 'Identifier' || callee.name !== 'URL' || !file || !base) return
        if (text.slice(base.start, base.end) !== 'import.meta.url') return
        if (file.type !== 'Literal' || typeof file.value !== 'string' || !isRelative(file.value)) return
        const place = this.#placeOf(resolve(dirname(path), file.value))
        if (place === undefined) return
        found.push({ start: file.start, end: file.end, text: JSON.stringify(`./${place}`) })
        done.add(base.start)
      },
      MemberExpression: ({ object, property, start, end }) => {
        // Of the core and of libraries, nothing but what they refer to comes along.
        if (object.type !== 'MetaProperty' || property.type !== 'Identifier' || done.has(start)) return
        const by = own === undefined ? undefined : whereItWas(own, property.name)
        if (by !== undefined) found.push({ start, end, text: by })
      },
    }).visit(parseSync(path, text).program)

    let rewritten = text
    for (const { start, end, text: by } of found.toSorted((a, b) => b.start - a.start))
      rewritten = rewritten.slice(0, start) + by + rewritten.slice(end)
    return rewritten
  }

  /**
   * The place of a file that a source refers to. What is in the chapter keeps its place there, whether it exists
   * or is yet to be written; of anything else it is the bundle's own folder.
   */
  #placeOf(path: string): string | undefined {
    const isThere = existsSync(path)
    if (isThere && /\.m?ts$/.test(path)) return this.addScript(path)
    return isThere ? this.addData(path) : this.#counted(path)
  }

  /** A path as it is counted from the chapter; nothing for one outside. */
  #counted(path: string): string | undefined {
    const counted = relative(this.#chapter, path)
    return counted.startsWith('..') || isAbsolute(counted) || counted.includes('node_modules')
      ? undefined
      : counted
  }

  /** This name, or another such as `tile-2.js` when it is taken. */
  #free(name: string): string {
    const taken = new Set([...this.#scripts.values(), ...this.#data.values()])
    const { name: stem, ext } = parse(name)
    for (let number = 1; ; number += 1) {
      const place = number === 1 ? name : `${stem}-${number}${ext}`
      if (!taken.has(place)) return place
    }
  }
}

function isRelative(address: string): boolean {
  return !/^(\/|[a-z][a-z\d+.-]*:)/i.test(address)
}

/** What a source of the chapter is to see as its own place, though it has become a part of a file in the bundle. */
function whereItWas(file: string, property: string): string | undefined {
  switch (property) {
    case 'url':
      return `new URL(${JSON.stringify(`./${file}`)}, import.meta.url).href`
    case 'filename':
      return `\`\${import.meta.dirname}/${file}\``
    case 'dirname':
      return `\`\${import.meta.dirname}/${dirname(file)}\``
    default:
      return undefined
  }
}
