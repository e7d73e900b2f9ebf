/** Which ports a chapter's programs listen on: those in their code, and those in their configuration. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Chapter } from './chapters.ts'
import { MOST_COPIES, type Program } from './cluster.ts'
import { valueAt } from './config-file.ts'

/** A port, and who listens on it. */
export interface ListeningPort {
  port: number
  program: string
  /** Which of the copies; nothing when they all have the same, so that there can be only one. */
  copy?: number
  /** True when it stands in the program's code, and not in its configuration. */
  isFixed: boolean
}

/**
 * The ports of a chapter's programs, in the order in which its package.json names them. What it names and
 * its configuration does not have is left out: a reader's may lack it.
 */
export function portsOf(chapter: Chapter): ListeningPort[] {
  return chapter.programs.flatMap((program) =>
    copiesOf(program, chapter).flatMap((copy) => portsOfCopy(program, copy, chapter)),
  )
}

/** How many copies of a program there can be: where each has a configuration of its own, as many as those. */
export function mostCopies(program: Program, chapter: Chapter): number {
  return hasOwnPorts(program) ? copiesOf(program, chapter).length : MOST_COPIES
}

/** The configuration files of a chapter, counted from its folder: those that are there. */
export function configFilesOf(chapter: Chapter): string[] {
  const { config, folder, programs } = chapter
  const ofCopies = programs.flatMap((program) =>
    program.config === undefined
      ? []
      : copiesOf(program, chapter).map((copy) => forCopy(program.config ?? '', copy)),
  )
  return [...new Set([...(config === undefined ? [] : [config]), ...ofCopies])].filter((file) =>
    existsSync(join(folder, file)),
  )
}

/** A text of package.json with the number of a copy in it. */
export function forCopy(text: string, copy: number): string {
  return text.replaceAll('{n}', String(copy))
}

/** The numbers of the copies that differ in where they listen: 1 alone when none does. */
function copiesOf(program: Program, chapter: Chapter): number[] {
  if (!hasOwnPorts(program)) return [1]
  const copies: number[] = []
  for (let copy = 1; copy <= MOST_COPIES; copy += 1) {
    const isThere = program.config?.includes('{n}')
      ? existsSync(join(chapter.folder, forCopy(program.config, copy)))
      : portsOfCopy(program, copy, chapter).length > 0
    if (!isThere) break
    copies.push(copy)
  }
  return copies
}

function hasOwnPorts({ config, listens }: Program): boolean {
  return Boolean(config?.includes('{n}')) || listens.some((port) => String(port).includes('{n}'))
}

function portsOfCopy(program: Program, copy: number, { folder, config }: Chapter): ListeningPort[] {
  const who = { program: program.name, ...(hasOwnPorts(program) && { copy }) }
  const file = program.config === undefined ? config : forCopy(program.config, copy)
  return program.listens.flatMap((place) => {
    if (typeof place === 'number') return { ...who, port: place, isFixed: true }
    const port = file === undefined ? Number.NaN : Number(valueIn(join(folder, file), forCopy(place, copy)))
    return Number.isInteger(port) && port > 0 ? { ...who, port, isFixed: false } : []
  })
}

/** What stands at a place such as `node.port` of a configuration file; nothing when it cannot be read. */
function valueIn(file: string, place: string): unknown {
  try {
    return valueAt(readFileSync(file, 'utf8'), place)
  } catch {
    return undefined
  }
}
