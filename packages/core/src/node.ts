/**
 * What all nodes of a cluster share: they connect or listen, answer, watch each other, and end well. A program extends one
 * of these classes, and writes what its node does.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.13.0
 */

// A node that connects to another one, and does something again and again.
export { ConnectingNode, type ConnectingNodeOptions } from './connecting-node.ts'
// A node that others connect to.
export { ListeningNode } from './listening-node.ts'
