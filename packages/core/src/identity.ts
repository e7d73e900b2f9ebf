/**
 * A node's identity, which outlives its connection: what the node keeps, and how its peer tells whether it has come back,
 * or is a copy.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.15.0
 */

// Who the peers are.
export { Identities, type IdentitiesOptions, newIdentity } from './identities.ts'
// Who this node is.
export { type IdentityOptions, KeptIdentity, openIdentity } from './kept-identity.ts'
