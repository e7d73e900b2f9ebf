/**
 * What is known, pushed as it changes: a table that can be followed, over a connection and by a page.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.15.0
 */

// The table itself.
export { type Changes, LiveTable } from './live-table.ts'
// Who is here, as such a table.
export { type NodeRow, nodeRow, Presence, type PresenceOptions } from './presence.ts'
// Over a connection.
export { Mirror, Topics, type TopicsOptions } from './topics.ts'
