/** A way to whoever leads: a connection to each leader, one after the other. What is asked and sent goes over the newest. */
import type { AskOptions } from '@rpi-cluster/core/dialogue'
import type { ClusterMember, Leader } from '@rpi-cluster/core/election'
import { OperationalError } from '@rpi-cluster/core/lifecycle'
import type { ConnectingNode } from '@rpi-cluster/core/node'

export class LeaderLink {
  /** Whom it leads to, or led to last. */
  leader: Leader | undefined
  #node: ConnectingNode | undefined

  /** Aborted when the newest connection is over. */
  get over() {
    return this.#node?.over ?? AbortSignal.abort()
  }

  get isConnected() {
    return this.#node?.isConnected === true
  }

  async send(type: string, payload: unknown) {
    await this.#newest().send(type, payload)
  }

  async ask(question: string, options: AskOptions) {
    return await this.#newest().ask(question, options)
  }

  /** Lets a node live that connects to a leader, for as long as that leads. */
  async run(leader: Leader, node: ConnectingNode) {
    this.leader = leader
    this.#node = node
    await node.run()
    this.#node = undefined
  }

  /** Says goodbye, when what is in work has ended. Never rejects. */
  async drain() {
    await this.#node?.drain()
  }

  #newest() {
    if (this.#node) return this.#node
    throw new OperationalError('Nobody leads at the moment.')
  }
}

/** How to connect to a leader: it is there in a moment, or another one leads. */
export function wayTo({ name }: Leader, members: readonly ClusterMember[]) {
  const { host, leaderPort: port } = memberCalled(name, members)
  return { peer: `primary ${name}`, host, port, longestPauseMs: 500 }
}

/**
 * A member, by its name.
 *
 * @throws OperationalError when there is no such member
 */
export function memberCalled(name: string, members: readonly ClusterMember[]) {
  const member = members.find((one) => one.name === name)
  if (member) return member
  throw new OperationalError(
    `${name} is none of the members, which are ${members.map((one) => one.name).join(', ')}. They stand in the configuration, under cluster.members.`,
  )
}
