/**
 * How a cluster begins, and how a node comes to one that there is. All who are to found it have to be there, with stores that
 * are empty: then the first of them says who they are, and all others write that down. Whoever comes with an empty store to a
 * cluster that has begun is a new one there, even if it has the name of a member whose card was lost.
 *
 * @since 0.27.0
 */
import { randomBytes } from 'node:crypto'
import * as v from 'valibot'
import type { Answers } from './dialogue.ts'
import { OperationalError } from './lifecycle.ts'
import { memberId, nameOfMember } from './member-ids.ts'
import { type LogMember, logMembers } from './replica.ts'

/**
 * The question that is asked of all while a node belongs to no cluster, and what its answer is called.
 *
 * @internal
 */
export const FOUNDING = 'log_founding'

/**
 * The record of how a cluster began: its id, and who the first members were. None for who has come later.
 *
 * @internal
 */
export interface Founding {
  readonly cluster: string
  readonly members: readonly LogMember[]
}

const answered = v.object({
  id: v.string(),
  about: v.optional(v.unknown()),
  founding: v.nullable(
    v.object({
      cluster: v.pipe(v.string(), v.regex(/^[a-z0-9]{12}$/)),
      members: v.union([logMembers, v.tuple([])]),
    }),
  ),
})

/** @internal */
export type FoundingAnswer = v.InferOutput<typeof answered>

/** @internal */
export function foundingIn(said: unknown): FoundingAnswer | undefined {
  const parsed = v.safeParse(answered, said)
  return parsed.success ? parsed.output : undefined
}

/**
 * Looks whether these can begin a cluster.
 *
 * @throws OperationalError what cannot be right, a line each
 * @internal
 */
export function checkFounders(founders: readonly string[], members: readonly { name: string }[]): void {
  const names = members.map(({ name }) => name)
  const problems = founders.length === 0 ? ['Nobody is to begin the cluster: it has no founders.'] : []
  for (const [index, founder] of founders.entries()) {
    if (!names.includes(founder))
      problems.push(`The founder ${founder} is none of the members, which are ${names.join(', ')}.`)
    else if (founders.indexOf(founder) < index) problems.push(`The founder ${founder} is there twice.`)
  }
  if (problems.length > 0) throw new OperationalError(problems)
}

/**
 * What a node finds out from the others about the cluster that it belongs to.
 *
 * @param own the id of this node
 * @param founders the names of all who are to be there at its beginning
 * @param answers what those say that are reached
 * @returns how the cluster began, as this node is to write it down; undefined while that is not known
 * @internal
 */
export function findFounding(
  own: { readonly id: string; readonly about: unknown },
  founders: readonly string[],
  answers: readonly FoundingAnswer[],
): Founding | undefined {
  const known = answers.flatMap(({ founding }) => founding ?? [])
  // Who has come later knows the cluster, and not who was there at its beginning.
  const begun = known.find(({ members }) => members.length > 0) ?? known[0]
  if (begun) {
    const members = begun.members as LogMember[]
    return { cluster: begun.cluster, members: members.some(({ id }) => id === own.id) ? members : [] }
  }
  const all = [own, ...answers].filter(({ id }) => founders.includes(nameOfMember(id)))
  const [first] = [...founders].sort()
  if (all.length < founders.length || nameOfMember(own.id) !== first) return undefined
  const cluster = BigInt(`0x${randomBytes(8).toString('hex')}`)
    .toString(36)
    .padStart(12, '0')
    .slice(-12)
  return { cluster, members: all.map(({ id, about }) => ({ id, isVoter: true, about: about ?? null })) }
}

/**
 * What a node answers to who asks how its cluster began.
 *
 * @param begun what it knows of that, if it is a member of that cluster: nobody is to follow one who is not
 * @internal
 */
export function answerFounding(
  own: { readonly name: string; readonly store: string; readonly about: unknown },
  begun: () => Founding | undefined,
): Answers[string] {
  return () => ({
    type: FOUNDING,
    payload: { id: memberId(own.name, own.store), about: own.about, founding: begun() ?? null },
  })
}
