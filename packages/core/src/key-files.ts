/**
 * Keys, a file for each node, which only their owner may read. A node opens its own, and a program that others connect to those
 * of all who have access.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.21.0
 */

// What a key file is.
export { type DatedKey, type KeyFile, newKey, readKeyFile, writeKeyFile } from './key-file.ts'
// Those of all nodes that have access.
export { NodeKeys, type OpenKeysOptions, openKeys } from './node-keys.ts'
// The one that this node has.
export { type OpenKeyOptions, OwnKey, openKey } from './own-key.ts'
