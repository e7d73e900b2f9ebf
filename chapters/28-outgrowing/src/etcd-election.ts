/**
 * Who leads, decided by etcd: each member stands in line with a key that lives as long as its lease, and the first in line leads.
 * The revision with which its key was made is the term: no two leaders have the same, and a later one has a higher.
 */
import type { Answers } from '@rpi-cluster/core/dialogue'
import type { ElectionOptions, ElectionView, Leader, Reign } from '@rpi-cluster/core/election'
import { HAND_OVER, STATE } from '@rpi-cluster/core/election-view'
import { Leaders } from '@rpi-cluster/core/leaders'
import { every, OperationalError, within } from '@rpi-cluster/core/lifecycle'
import { type Handlers, send } from '@rpi-cluster/core/messages'
import type { Connection } from '@rpi-cluster/core/sockets'
import { Succession } from '@rpi-cluster/core/succession'
import { Etcd } from './etcd.ts'
import type { Leadership } from './leadership.ts'

/** What part of a lease this node believes in: its clock and that of etcd may differ by a tenth. */
const BELIEVED = 0.9

/** How often a lease is renewed in its time. */
const RENEWED = 4

/** How long to wait before etcd is tried again, in ms, and for how many time-outs nobody has to lead until that is told. */
const AGAIN_MS = 300
const LONG_IN_ELECTIONS = 4

/** Where the line is, in etcd. */
const LINE = 'rpicluster/leader/'

/** Where etcd is. */
interface EtcdPlace {
  host: string
  etcdPort: number
}

interface EtcdElectionOptions extends ElectionOptions {
  /** Those of the members who are missed when they are not there. The others come and go. */
  founders: readonly string[]
}

export function openEtcdElection(options: EtcdElectionOptions, { host, etcdPort }: EtcdPlace): Leadership {
  const { electionMs = 1_000 } = options
  return new EtcdElection(options, `http://${host}:${etcdPort}`, electionMs)
}

class EtcdElection implements Leadership {
  readonly handlers: Handlers = {}
  readonly answers: Answers

  readonly #options: EtcdElectionOptions
  readonly #electionMs: number
  readonly #etcd: Etcd
  readonly #reigns = new Succession<Reign>()
  readonly #leaders: Leaders
  readonly #followers = new Set<Connection>()
  /** Who stands in line, by their names: the revision. */
  #line = new Map<string, number>()
  #lease: string | undefined
  /** Until when the lease surely holds, in ms of performance.now(). */
  #heldUntil = 0
  #term = 0
  #isLeaving = false
  #problem = ''

  constructor(options: EtcdElectionOptions, url: string, electionMs: number) {
    const { log } = options
    this.#options = options
    this.#electionMs = electionMs
    this.#etcd = new Etcd(url, LINE, electionMs)
    this.#leaders = new Leaders(LONG_IN_ELECTIONS * electionMs)
    this.answers = {
      [STATE]: (peer) => {
        if (!this.#followers.has(peer)) peer.socket.once('close', () => this.#followers.delete(peer))
        this.#followers.add(peer)
        return { type: STATE, payload: this.view }
      },
      [HAND_OVER]: async (peer, about) => {
        const { members, mayHandOver } = this.#options
        const allowed = [...members.map(({ name }) => name), ...(mayHandOver?.() ?? [])]
        if (peer.node === undefined || !allowed.includes(peer.node)) return undefined
        const { to } = Object(about) as { to?: string }
        log.info(`${peer.node} asks it to hand over${to === undefined ? '' : ` to ${to}`}`)
        const payload = await this.handOver(to).then(
          (done) => ({ done }),
          (error: Error) => ({ done: false, why: error.message }),
        )
        return { type: HAND_OVER, payload }
      },
    }
  }

  get view(): ElectionView {
    const { name, founders, details } = this.#options
    const { leader } = this
    return {
      name,
      term: this.#term,
      role: leader?.name === name ? 'leader' : 'follower',
      leader: leader?.name ?? null,
      votedFor: null,
      members: [...new Set([...founders, name, ...this.#line.keys()])],
      reachable: [...this.#line.keys()].filter((other) => other !== name),
      details: details?.() ?? {},
    }
  }

  get leader(): Leader | undefined {
    const [first] = [...this.#line].sort(([, one], [, other]) => one - other)
    if (!first) return undefined
    const [name, term] = first
    return name === this.#options.name && !this.#isHeld() ? undefined : { name, term }
  }

  async run(): Promise<void> {
    const { log, stop } = this.#options
    while (!stop.aborted) {
      try {
        await this.#standInLine()
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error
        if (error.message !== this.#problem && !stop.aborted) log.warn(error.message)
        this.#problem = error.message
      }
      if (!stop.aborted) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
    this.#leaders.forget()
  }

  async whileLeading(use: (reign: Reign, over: AbortSignal) => Promise<void>): Promise<void> {
    const { log, stop } = this.#options
    await this.#reigns.each(stop, async (reign, over) => {
      try {
        await use(reign, over)
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error
        for (const problem of error.problems) log.error(problem)
      }
      if (!over.aborted && (await this.handOver()))
        log.warn(`Cannot do what a leader is for: has handed over in term ${reign.term}`)
    })
  }

  async follow(use: (leader: Leader, over: AbortSignal) => Promise<void>): Promise<void> {
    await this.#leaders.each(this.#options.stop, use)
  }

  /** All who stand before that one in line step out of it, this node among them, and stand behind it. */
  async handOver(to?: string): Promise<boolean> {
    const { name, stop } = this.#options
    const line = [...this.#line].sort(([, one], [, other]) => one - other).map(([other]) => other)
    const next = to ?? line[1]
    if (this.leader?.name !== name || next === undefined || next === name || !line.includes(next))
      return false
    const term = this.#term
    await this.#etcd.leave(line.slice(0, line.indexOf(next)))
    const late = within(LONG_IN_ELECTIONS * this.#electionMs, stop)
    const leader = await this.#leaders.find((one) => one.term > term && one.name !== name, late)
    return leader !== undefined && leader.name === next
  }

  async drain(): Promise<void> {
    const { log, name, stop } = this.#options
    const begin = performance.now()
    const [leads, term] = [this.leader?.name === name, this.#term]
    this.#isLeaving = true
    const hasLeft = await this.#etcd.leave([name]).then(
      () => true,
      () => false, // its lease will end
    )
    if (!hasLeft || !leads || this.#line.size < 2) return
    const late = within(LONG_IN_ELECTIONS * this.#electionMs, stop)
    const next = await this.#leaders.find((one) => one.term > term && one.name !== name, late)
    if (next) log.info(`Handed over within ${(performance.now() - begin).toFixed()} ms: ${next.name} leads`)
  }

  /** Stands in line for as long as its lease holds. */
  async #standInLine(): Promise<void> {
    const { name, stop } = this.#options
    const asked = performance.now()
    const { lease, seconds } = await this.#etcd.grant(Math.ceil((2 * this.#electionMs) / 1_000))
    const ending = new AbortController()
    const over = AbortSignal.any([stop, ending.signal])
    try {
      this.#lease = lease
      this.#heldUntil = asked + BELIEVED * seconds * 1_000
      await this.#etcd.stand(name, lease)
      this.#problem = ''
      await Promise.race([this.#renew(lease, seconds, over), this.#watch(over)])
    } finally {
      ending.abort()
      this.#lease = undefined
      this.#heldUntil = 0
      this.#line = new Map()
      this.#changed()
      await this.#etcd.revoke(lease).catch(() => {}) // it ends by itself
    }
  }

  async #renew(lease: string, seconds: number, over: AbortSignal): Promise<void> {
    const { log } = this.#options
    const pauseMs = (seconds * 1_000) / RENEWED
    let [last, renewed] = [performance.now(), performance.now()]
    /** What has taken so long takes so long at most, where this process runs. */
    const throwIfLapsed = (ms: number, mostMs: number) => {
      if (this.#isHeld()) return
      throw ms > mostMs + pauseMs
        ? this.#lapsed(`this process stood still for ${inSeconds(ms)}`)
        : this.#lapsed(`etcd has not renewed it for ${inSeconds(performance.now() - renewed)}`)
    }
    for await (const _ of every(pauseMs, over)) {
      const asked = performance.now()
      throwIfLapsed(asked - last, pauseMs)
      const left = await this.#etcd.renew(lease).catch((error: Error) => log.debug(error.message))
      if (left === 0) throw this.#lapsed('etcd has it no more')
      last = performance.now()
      throwIfLapsed(last - asked, this.#electionMs)
      if (left === undefined) continue // there is time for another try
      this.#heldUntil = Math.max(this.#heldUntil, asked + BELIEVED * left * 1_000)
      renewed = asked
    }
  }

  #lapsed(why: string): OperationalError {
    const what = this.#reigns.holder ? `Leads no more, in term ${this.#term}` : 'Stands in line no more'
    this.#heldUntil = 0
    return new OperationalError(`${what}: its lease has ended: ${why}`)
  }

  /** Follows the line, anew when etcd was away: whoever leads does so for as long as its lease holds. */
  async #watch(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      try {
        await this.#follow(over)
      } catch (error) {
        this.#options.log.debug((error as Error).message) // whether etcd is there shows when the lease is renewed
      }
      if (!over.aborted) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  }

  async #follow(over: AbortSignal): Promise<void> {
    const { line, revision } = await this.#etcd.line()
    this.#line = new Map(line.map((standing) => [standing.name, standing.revision]))
    this.#changed()
    for await (const changes of this.#etcd.changes(revision, over)) {
      if (!this.#isHeld()) return // that its lease has ended is known before what came of it
      for (const { name, revision } of changes)
        if (revision === undefined) this.#line.delete(name)
        else this.#line.set(name, revision)
      this.#changed()
      const { name } = this.#options
      if (!this.#line.has(name) && this.#lease !== undefined && !this.#isLeaving)
        await this.#etcd.stand(name, this.#lease) // somebody is to lead who stood behind it
    }
  }

  #isHeld(): boolean {
    return performance.now() < this.#heldUntil
  }

  #changed(): void {
    const { name, log } = this.#options
    const { leader } = this
    const before = this.#reigns.holder?.term
    if (leader && leader.term !== this.#term) {
      this.#term = leader.term
      log.info(
        leader.name === name
          ? `Leads in term ${leader.term}, by etcd`
          : `${leader.name} leads in term ${leader.term}`,
      )
    }
    if (leader?.name !== name || this.#isLeaving) this.#reigns.become(undefined)
    else if (before !== leader.term) {
      const { term } = leader
      this.#reigns.become({ term, isHeld: () => this.#isHeld() && this.#line.get(name) === term })
    }
    if (!leader && this.#leaders.last?.name === name) this.#leaders.forget()
    else this.#leaders.hear(leader)
    for (const peer of this.#followers)
      if (peer.socket.writable) void send(peer, STATE, this.view)?.catch(() => {})
  }
}

function inSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
