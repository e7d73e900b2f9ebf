/** Where a sender finds its receiver: a port of this machine, or a subject on a server. */
export interface Address {
  port: number
}

/** One way to carry messages between two processes. Each half runs in a process of its own. */
export interface Contestant {
  /** Listens (or subscribes), and gives each message that arrives to `take`, parsed. */
  receive(address: Address, take: (message: unknown) => void): Promise<Address>
  /** Sends these messages over and over, until the process is ended, as fast as the receiver takes them. */
  send(address: Address, messages: readonly Message[]): Promise<never>
}

/** What is sent: the envelope that chapter 06 sends. */
export interface Message {
  type: string
  payload: string
}
