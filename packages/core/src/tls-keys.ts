/**
 * What TLS gets of a node's key: a key of its own, made of the node's, and a name for it that may be read by everybody. The
 * node's key itself is never used for two purposes.
 *
 * @since 0.22.0
 */
import { hkdfSync } from 'node:crypto'

/** What each key that is made of a node's is for, so that the one says nothing of the other: RFC 5869 calls it info. */
const FOR_TLS = 'rpi-cluster tls 1.3 pre-shared key'
const FOR_FINGERPRINT = 'rpi-cluster fingerprint'

/** How long a key for TLS is, in bytes: as long as what SHA-256 gives, with which TLS_AES_128_GCM_SHA256 makes its keys. */
const TLS_KEY_BYTES = 32

/** Four bytes tell the keys of one node apart. Nothing depends on that nobody makes two keys of one fingerprint. */
const FINGERPRINT_BYTES = 4

const IDENTITY = /^([^/]+)\/([0-9a-f]{8})$/

/**
 * The pre-shared key of TLS for a node's key, by HKDF.
 *
 * @internal
 */
export function tlsKeyOf(key: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', FOR_TLS, TLS_KEY_BYTES))
}

/**
 * What a key is called where people and logs may see it: eight hexadecimal digits, from which nobody finds the key. Two
 * files have the same key when their fingerprints are the same.
 */
export function fingerprintOf(key: Buffer): string {
  return Buffer.from(hkdfSync('sha256', key, '', FOR_FINGERPRINT, FINGERPRINT_BYTES)).toString('hex')
}

/**
 * What a node calls its key in a handshake: `pi-3/0d6f21aa`. Of the two keys that a node has while one takes the place of
 * the other, it says which. It goes over the wire before anything is encrypted.
 *
 * @internal
 */
export function tlsIdentityOf(node: string, key: Buffer): string {
  return `${node}/${fingerprintOf(key)}`
}

/**
 * The two parts of such a name; nothing when it is none.
 *
 * @internal
 */
export function partsOfIdentity(identity: string): { node: string; fingerprint: string } | undefined {
  const [, node, fingerprint] = IDENTITY.exec(identity) ?? []
  return node === undefined || fingerprint === undefined ? undefined : { node, fingerprint }
}
