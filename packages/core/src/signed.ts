/**
 * A connection on which every frame is signed: nobody can say anything in another one's name, and what was recorded is worth
 * nothing when it is played back. Everybody can still read it.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.21.0
 */

// What can be wrong with a signature.
export { SignatureError, type SignatureProblem } from './signatures.ts'
// The end that connects.
export { signedBy } from './signed-connecting.ts'
// The end that listens.
export { type SignedWithOptions, signedWith } from './signed-listening.ts'
