/**
 * How the members of a cluster change while it runs: a node with a new store comes in the place of the member that it was, others
 * come and go when somebody says so, one at a time.
 *
 * @since 0.27.0
 */
import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'
import type { Answers } from './dialogue.ts'
import type { ElectionWatch } from './election-watch.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { nameOfMember } from './member-ids.ts'
import { textOf } from './messages.ts'
import { type LogMember, membersOf, type ReplicaState, whyNoChange } from './replica.ts'
import type { ReplicaDriver } from './replica-driver.ts'

/**
 * The question by which a node wants to be let in.
 *
 * @internal
 */
export const JOIN = 'log_join'

/** The question by which somebody changes the members, or asks who they are. */
const CHANGE = 'log_members'

/** How long is remembered who wants to be let in, in ms. */
const WANTS_FOR_MS = 5_000

/** How many time-outs a change may take until it is told that it is not done yet. */
const PATIENCE_IN_ELECTIONS = 10

const join = v.object({
  cluster: v.string(),
  id: v.pipe(v.string(), v.maxLength(100)),
  about: v.optional(v.unknown()),
})
const change = v.object({ add: v.optional(v.string()), remove: v.optional(v.string()) })

const memberList = v.object({
  done: v.boolean(),
  why: v.optional(v.string()),
  members: v.array(v.object({ name: v.string(), id: v.string(), isVoter: v.boolean() })),
})

/**
 * What is answered.
 *
 * @internal
 */
export type MemberList = v.InferOutput<typeof memberList>

/** What is wanted of the members of a cluster: one more, or one less, by its name. Nothing: who they are. */
export interface MembersChange {
  readonly add?: string
  readonly remove?: string
}

/**
 * Changes the members of a cluster by way of whoever leads, or asks who they are.
 *
 * @returns who they are now
 * @throws OperationalError when nobody leads, when that one does not take it from this node, or says why it cannot be
 */
export async function changeMembers(
  watch: ElectionWatch,
  change: MembersChange,
): Promise<MemberList['members']> {
  const said = v.safeParse(memberList, await watch.askLeader(CHANGE, { answer: CHANGE, about: change }))
  if (!said.success)
    throw new OperationalError('Whoever leads was asked for the members, and answers something else.')
  const { why, members } = said.output
  if (why !== undefined) throw new OperationalError(`That cannot be: ${why}.`)
  return members
}

/** @internal */
export interface LogChangesOptions {
  /** The id of this member. */
  id: string
  driver: ReplicaDriver
  cluster: () => string | undefined
  electionMs: number
  /** Who may change the members, by the names of their keys. */
  mayChange: () => readonly string[]
  log: Logger
}

/** @internal */
export class LogChanges {
  readonly answers: Answers
  readonly #options: LogChangesOptions
  /** Who wants to be let in, and nobody has said that they may. */
  readonly #waiting = new Map<string, { id: string; about: unknown; at: number }>()
  readonly #told = new Set<string>()

  constructor(options: LogChangesOptions) {
    this.#options = options
    this.answers = {
      [JOIN]: ({ node }, about) => ({ type: JOIN, payload: { why: this.#letIn(node, about) } }),
      [CHANGE]: async ({ node }, about) => {
        if (node === undefined || !options.mayChange().includes(node)) return undefined
        return { type: CHANGE, payload: await this.#change(node, about) }
      },
    }
  }

  get #state(): ReplicaState {
    return this.#options.driver.replica
  }

  /** Lets a node in, a step at a time: it asks until it finds itself among the members. Says why not, where nothing comes of it. */
  #letIn(node: string | undefined, asked: unknown): string | null {
    const { cluster } = this.#options
    const parsed = v.safeParse(join, asked)
    if (!parsed.success || node !== nameOfMember(parsed.output.id)) return 'that is not understood'
    const { id, about } = parsed.output
    if (parsed.output.cluster !== cluster()) return `this is another cluster, ${cluster()}`
    if (this.#state.raft.role !== 'leader') return 'this node does not lead'
    const members = membersOf(this.#state)
    if (members.some((member) => member.id === id)) return null
    const former = members.find((member) => nameOfMember(member.id) === node)
    if (former && this.#isHere(former.id))
      return `${node} is here, with another store: is its key on two machines?`
    if (!former && !this.#isInvited(node)) {
      this.#waiting.set(node, { id, about, at: performance.now() })
      return `${node} is no member of this cluster, and nobody has added it`
    }
    if (former) {
      this.#tellOnce(
        `${node} comes with another store than it had: the member that it was is removed, and it learns anew`,
      )
      this.#invited.add(node)
      return this.#become(members.filter((member) => member !== former))
    }
    const why = this.#become([...members, { id, isVoter: false, about: about ?? null }])
    if (why === null) this.#invited.delete(node)
    return why
  }

  readonly #invited = new Set<string>()

  #isInvited(node: string): boolean {
    return this.#invited.has(node)
  }

  /** Whether a member has answered a moment ago. */
  #isHere(id: string): boolean {
    const { contacts } = this.#state.raft
    const at = contacts[id]?.answeredAt ?? Number.NEGATIVE_INFINITY
    return performance.now() - at < 2 * this.#options.electionMs
  }

  #become(members: readonly LogMember[]): string | null {
    const { id, driver } = this.#options
    const why = whyNoChange(id, this.#state, members)
    if (why === undefined) driver.give({ kind: 'members', members })
    return why ?? null
  }

  async #change(node: string, asked: unknown): Promise<MemberList> {
    const { log } = this.#options
    const parsed = v.safeParse(change, asked)
    const { add, remove } = parsed.success ? parsed.output : {}
    const name = add ?? remove
    if (name === undefined) return this.#list()
    log.info(`${node} asks it to ${add === undefined ? 'remove' : 'add'} ${textOf(name)}`)
    const members = membersOf(this.#state)
    const member = members.find(({ id }) => nameOfMember(id) === name)
    if (add === undefined) {
      if (!member) return this.#list(`${name} is no member`)
      this.#invited.delete(name)
      return await this.#done(members.filter((one) => one !== member))
    }
    if (member) return this.#list(`${name} is a member already`)
    const waiting = this.#waiting.get(name)
    if (!waiting || performance.now() - waiting.at > WANTS_FOR_MS)
      return this.#list(`${name} is not there: start it first, then add it`)
    const { id, about } = waiting
    return await this.#done([...members, { id, isVoter: false, about: about ?? null }])
  }

  /** Changes the members, and waits until that is committed, for a while. */
  async #done(wanted: readonly LogMember[]): Promise<MemberList> {
    const why = this.#become(wanted)
    if (why !== null) return this.#list(why)
    const { electionMs } = this.#options
    const ids = (members: readonly LogMember[]) => members.map(({ id }) => id).join(' ')
    for (let waited = 0; waited < PATIENCE_IN_ELECTIONS * electionMs; waited += electionMs / 10) {
      const { members, commit } = this.#state
      const last = members.at(-1)
      if (last && last.index <= commit && ids(last.members) === ids(wanted)) return this.#list()
      await sleep(electionMs / 10)
    }
    return this.#list('it is not done yet: is a majority of the members there?')
  }

  #list(why?: string): MemberList {
    const members = membersOf(this.#state).map(({ id, isVoter }) => ({ name: nameOfMember(id), id, isVoter }))
    return { done: why === undefined, ...(why !== undefined && { why }), members }
  }

  #tellOnce(line: string): void {
    if (this.#told.has(line)) return
    this.#told.add(line)
    this.#options.log.warn(line)
  }
}
