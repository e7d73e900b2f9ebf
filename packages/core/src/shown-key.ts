/**
 * Which key somebody shows in a handshake, and whether it is one that holds. TLS asks for it by its name, and checks then
 * that the other end really has it.
 *
 * @since 0.22.0
 */
import { isNodeName } from './key-file.ts'
import type { NodeKeys } from './node-keys.ts'
import { fingerprintOf, partsOfIdentity, tlsKeyOf } from './tls-keys.ts'

/** How many names somebody may try in one handshake. A node has one, and says it once more when TLS asks again. */
const MOST_NAMES = 4

/** A node, and the key by which it has proven that it is this one. */
export interface ProvenKey {
  readonly node: string
  readonly key: Buffer
}

/**
 * What one connection shows.
 *
 * @internal
 */
export class ShownKey {
  readonly #keys: NodeKeys
  #asked = 0
  #identity: string | undefined
  #shown: ProvenKey | undefined
  #problem = 'it shows no key'

  constructor(keys: NodeKeys) {
    this.#keys = keys
  }

  /** Gives TLS the key of that name; nothing when there is none. It is asked for each name that the other end says. */
  take(identity: string): Buffer | null {
    this.#asked += 1
    if (this.#asked > MOST_NAMES) return this.#refuse('it tries one key after the other')
    if (this.#shown && identity !== this.#identity) {
      this.#shown = undefined
      return this.#refuse('it shows more than one key')
    }
    const { node, fingerprint } = partsOfIdentity(identity) ?? {}
    if (!isNodeName(node)) return this.#refuse('what it shows is no name of a key')
    const keys = this.#keys.keysOf(node)
    if (keys.length === 0) return this.#refuse(`there is no key of ${node} here, or none that holds`)
    const key = keys.find((key) => fingerprintOf(key) === fingerprint)
    if (!key) {
      const known = keys.map(fingerprintOf).join(' and ')
      return this.#refuse(`${node} has the key ${known} here, and not ${fingerprint}`)
    }
    this.#identity = identity
    this.#shown = { node, key }
    this.#problem = `it says that it is ${node}, and has not its key`
    return tlsKeyOf(key)
  }

  #refuse(problem: string): null {
    this.#problem = problem
    return null
  }

  /** What is wrong with it, when TLS has refused it. */
  get problem(): string {
    return this.#problem
  }

  /**
   * Who it is, when TLS has taken it; nothing when TLS did so for another reason than a key that was given here, as for a
   * ticket of an earlier connection, or when that key holds no more since.
   */
  get proven(): ProvenKey | undefined {
    const { node = '', key } = this.#shown ?? {}
    return this.#keys.keysOf(node).some((valid) => key?.equals(valid)) ? this.#shown : undefined
  }
}
