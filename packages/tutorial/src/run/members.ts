/** Which processes a chapter's cluster is made of, and what each is called in its lines. */
import { join } from 'node:path'
import type { Chapter } from '../chapters/chapters.ts'
import type { Program } from '../chapters/cluster.ts'
import { forCopy, portsOf } from '../chapters/ports.ts'

/** One process of a cluster. */
export interface Member {
  program: Program
  /** Which of the copies, from 1 on. */
  copy: number
  /** What its lines begin with: the program's name, and its number when there are several. */
  name: string
  /** What it is started with. */
  args: string[]
}

/** How many of each program to start, by its name, where it is not as many as the chapter says. */
export type Copies = Readonly<Record<string, number>>

/** The processes of a chapter's cluster, in the order in which they start. */
export function membersOf({ programs, folder }: Chapter, copies: Copies = {}): Member[] {
  return programs.flatMap((program) => {
    const count = copies[program.name] ?? program.copies
    return Array.from({ length: count }, (_, index): Member => {
      const copy = index + 1
      const args = program.args.map((text) => forCopy(text, copy))
      // An absolute path: others count from where the reader typed.
      const config =
        program.config === undefined ? [] : ['--config', join(folder, forCopy(program.config, copy))]
      return {
        program,
        copy,
        name: count === 1 ? program.name : `${program.name} ${copy}`,
        args: [...args, ...config],
      }
    })
  })
}

/** Who connects to whom, by their names, and at which port. */
export function linksBetween(
  members: readonly Member[],
  chapter: Chapter,
): { lane: string; to: string; port: number }[] {
  return members.flatMap((member) =>
    members
      .filter((other) => other !== member && other.program.name === member.program.connectsTo)
      .flatMap((other) =>
        portsOfMember(other, chapter).map((port) => ({ lane: member.name, to: other.name, port })),
      ),
  )
}

function portsOfMember({ program, copy }: Member, chapter: Chapter): number[] {
  return portsOf(chapter)
    .filter((listening) => listening.program === program.name && (listening.copy ?? copy) === copy)
    .map(({ port }) => port)
}

/** True when a program cannot do without this one: when this one ends, so does the cluster. */
export function isNeeded({ name }: Program, { programs }: Chapter): boolean {
  return programs.some(
    (other) => other.name !== name && other.connectsTo === name && other.withoutPeer === 'ends',
  )
}
