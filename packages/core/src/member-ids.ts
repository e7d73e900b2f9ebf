/**
 * What members of a cluster are called that keep a log together: by the name of their key, and by their store. A node whose store
 * was lost has its name still, and is another member: what the one before has promised, it does not know.
 *
 * @since 0.27.0
 */

/** Between the name of a key, which cannot have it, and the identity of a store. */
const BETWEEN = '~'

/**
 * The id of a member: `node-3~k7f2m9qa`.
 *
 * @internal
 */
export function memberId(name: string, store: string): string {
  return `${name}${BETWEEN}${store}`
}

/**
 * The name in the id of a member, which is that of its key: `node-3`.
 *
 * @internal
 */
export function nameOfMember(id: string): string {
  return id.split(BETWEEN, 1)[0] as string
}
