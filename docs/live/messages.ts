/** What the page and the worker of a node say to each other. A socket has the number that its program gave it. */
import type { Pace } from './clock.ts'

export interface Address {
  address: string
  port: number
}

/** What goes over a connection, in either direction. */
export type OnConnection =
  | { what: 'bytes'; socket: number; bytes: Uint8Array }
  /** No more will come from there. */
  | { what: 'end'; socket: number }
  | { what: 'reset'; socket: number }
  /** So many bytes were read there: there is room for more. */
  | { what: 'took'; socket: number; bytes: number }

export type ToNetwork =
  | OnConnection
  | { what: 'listen'; server: number; host: string; port: number }
  | { what: 'close-server'; server: number }
  | { what: 'connect'; socket: number; host: string; port: number }
  /** The program has closed the socket, and reads no more of it. */
  | { what: 'closed'; socket: number }

export type FromNetwork =
  | OnConnection
  | { what: 'listening'; server: number; local: Address }
  | { what: 'not-listening'; server: number; code: string }
  | { what: 'accepted'; server: number; socket: number; local: Address; remote: Address }
  | { what: 'connected'; socket: number; local: Address; remote: Address }
  | { what: 'not-connected'; socket: number; code: string }

export type FromWorker =
  | ToNetwork
  | { what: 'said'; text: string }
  | { what: 'ended'; code: number; signal?: string }

/** A file of the chapter as JavaScript. */
export interface Script {
  path: string
  code: string
}

export interface StartMessage {
  what: 'start'
  /** The file that is run. */
  main: string
  scripts: Script[]
  files: Record<string, string>
  folder: string
  args: string[]
  env: Record<string, string>
  pid: number
  hostname: string
  pace: Pace
  /** The date when the cluster's clock showed 0, in ms. */
  began: number
  /** By how many seconds its clock is wrong. */
  skew: number
}

export type ToWorker =
  | FromNetwork
  | StartMessage
  | { what: 'pace'; pace: Pace }
  | { what: 'hold'; isHeld: boolean }
  | { what: 'skew'; seconds: number }
  | { what: 'signal'; signal: string }
