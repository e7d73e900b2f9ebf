/**
 * Connections that nobody on the way can read, change or play back, between ends that have proven who they are: TLS 1.3, by
 * Node's own `node:tls`. By keys, one for each node; or by certificates, where there is an authority for them. A listener
 * takes the one or the other, and never both.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.22.0
 */

// By certificates of an authority that both ends trust.
export {
  type CertificateFiles,
  type CertifiedByOptions,
  type CertifiedWithOptions,
  certifiedBy,
  certifiedWith,
} from './certified.ts'
// By a key that both ends know: the end that connects, and the one that listens.
export { encryptedBy } from './encrypted-connecting.ts'
export { type EncryptedOptions, encryptedWith } from './encrypted-listening.ts'
// What a key is called where people see it.
export { fingerprintOf } from './tls-keys.ts'
