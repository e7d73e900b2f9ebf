/**
 * Whose key is taken away is cut off at once, and not when it comes the next time.
 *
 * @since 0.22.0
 */
import { addAbortListener } from 'node:events'
import type { Socket } from 'node:net'
import { OperationalError } from './lifecycle.ts'
import type { NodeKeys } from './node-keys.ts'
import type { ProvenKey } from './shown-key.ts'

interface Live extends ProvenKey {
  readonly socket: Socket
  readonly address: string
}

/**
 * The connections that were made by a key, and live. One ends when its node has no key any more that holds, and when its own
 * key stands in the node's file no longer, not even as one of before: somebody has taken it away. It outlives the end of
 * its key by a rotation.
 *
 * @internal
 */
export class CutOff {
  readonly #keys: NodeKeys
  readonly #live = new Map<string, Set<Live>>()

  constructor(keys: NodeKeys, stop: AbortSignal) {
    this.#keys = keys
    const look = (node: string) => this.#look(node)
    keys.on('change', look)
    addAbortListener(stop, () => keys.off('change', look))
  }

  add(live: Live): void {
    const ofNode = this.#live.get(live.node) ?? new Set()
    this.#live.set(live.node, ofNode.add(live))
    live.socket.once('close', () => {
      ofNode.delete(live)
      if (ofNode.size === 0 && this.#live.get(live.node) === ofNode) this.#live.delete(live.node)
    })
  }

  #look(node: string): void {
    const isOut = this.#keys.keysOf(node).length === 0
    for (const { socket, address, key } of this.#live.get(node) ?? []) {
      if (!isOut && this.#stands(node, key)) continue
      socket.destroy(
        new OperationalError(`The key of ${node} was revoked: its connection from ${address} is cut.`),
      )
    }
  }

  #stands(node: string, key: Buffer): boolean {
    const text = key.toString('base64url')
    return this.#keys.allOf(node).some(({ key }) => key === text)
  }
}
