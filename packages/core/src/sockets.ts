/**
 * TCP between programs, on node:net: one program listens, others connect, and each end of a
 * connection is the same small thing that can be read, written and closed. Errors say what a reader
 * can do about them, and one peer that fails hurts no other.
 *
 * Programs import these from here. Each idea stands in a file of its own.
 *
 * @since 0.3.0
 */

// The others call it.
export { type ConnectOptions, connect, type SecureConnecting } from './connecting.ts'
// One end of a connection: it is read, written, and closed.
export { Connection, type Layer, type Secured } from './connection.ts'
// A program waits for others, and serves them all at the same time.
export { type Listener, type ListenOptions, listen, type SecureListening } from './listening.ts'
