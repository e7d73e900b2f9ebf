/** A conversation by hand: what is typed goes out over a connection, and what goes and comes is shown, byte by byte. */
import { once } from 'node:events'
import { connect, createServer, isIPv6, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ReaderError } from '../workspace/reader-error.ts'
import { shown } from './bytes.ts'
import { Conversation } from './conversation.ts'
import { commandThatListens } from './listeners.ts'
import { Screen } from './screen.ts'
import { HELP, type Step, separatorOf, TypedLines } from './typed-lines.ts'

/** How long to wait for an answer when connecting, in ms. A machine that is off answers nothing at all. */
const CONNECT_TIMEOUT_MS = 10_000

/** So many lines that were not sent any more are counted; more are too many to wait for. */
const MOST_COUNTED = 1000

/** After so many steps signals, and what comes, have their turn, however fast lines come. */
const STEPS_IN_A_TURN = 100

/** What says something by itself, or changes how something is said. */
const TELLING: ReadonlySet<Step['do']> = new Set(['help', 'hex', 'slow'])

export interface TalkOptions {
  port: number
  /** The other end's address, or the one to listen on. */
  host: string
  /** Wait for somebody to connect, in place of connecting to somebody. */
  listen?: boolean
  /** What stands at the end of each message: `cr`, `none`, ... */
  separator?: string
  /** Nothing is added to what is typed, and escapes in it stand for bytes. */
  raw?: boolean
  /** Show bytes as numbers. */
  hex?: boolean
}

/**
 * Talks until the conversation is over: the messages of the command line, or the lines of standard input, or
 * what somebody types.
 *
 * @returns the exit code: 1 when nobody is there, or not all went as asked
 * @throws ReaderError when a message begins with a dot and is no command
 */
export async function talk(messages: readonly string[], options: TalkOptions): Promise<number> {
  const { separator = options.raw ? 'none' : 'cr', raw = false, hex = false } = options
  const lines = new TypedLines({ separator: separatorOf(separator), raw })
  // A mistake among them is found before anything is sent.
  const given = messages.map((message) => lines.stepOf(message))
  const screen = new Screen()
  const say = (line: string) => screen.say(line)

  const socket = await open(options, say)
  if (!socket) return 1
  const conversation = new Conversation(socket, { say, separator: () => lines.separator }, { hex })
  const leave = () => conversation.leave()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, leave)

  const sayInOrder = async (line: string) => {
    await conversation.told()
    say(line)
  }

  const isTyped = given.length === 0 && screen.isTyped
  if (isTyped) {
    const end = shown(Buffer.from(lines.separator)) || 'nothing'
    say(`Each line that you type is sent, with ${end} after it. .help says what else there is; Ctrl-D ends.`)
  }
  const steps =
    given.length > 0 ? given.values() : stepsOf(screen.lines(leave), lines, isTyped ? sayInOrder : undefined)
  try {
    await converse(conversation, steps, say)
  } catch (error) {
    conversation.leave()
    throw error
  } finally {
    screen.close()
    await conversation.closed()
  }
  // Who has typed has seen how it went.
  return conversation.failed && !isTyped ? 1 : 0
}

/** Does one step after the other, until there are no more or nobody is there to talk to. */
async function converse(
  conversation: Conversation,
  steps: Iterator<Step> | AsyncIterator<Step>,
  say: (line: string) => void,
): Promise<void> {
  const next = async () => await steps.next()
  let coming = next()
  for (let count = 1; !conversation.isOver; count += 1) {
    const step = await Promise.race([coming, conversation.over])
    if (!step) break
    await take(step.done ? { do: 'end' } : step.value, conversation, say)
    if (step.done) return
    if (count % STEPS_IN_A_TURN === 0) await nextTurn()
    coming = next()
  }
  const unsent = await countUnsent(coming, next)
  if (unsent === 0) return
  conversation.failed = true
  say(unsent === 1 ? 'One more message was not sent.' : `${unsent} more messages were not sent.`)
}

async function take(step: Step, conversation: Conversation, say: (line: string) => void): Promise<void> {
  // The system takes what was sent a moment later. How that is told is not for a later line to change, or to come before.
  if (TELLING.has(step.do)) await conversation.told()
  switch (step.do) {
    case 'send':
      return await conversation.send(step.bytes)
    case 'wait':
      return await conversation.wait(step.ms)
    case 'slow':
      return conversation.slow(step.bytesPerSecond)
    case 'hex':
      return conversation.hex()
    case 'end':
      return await conversation.end()
    case 'reset':
      return conversation.reset()
    case 'help':
      for (const line of HELP) say(`   ${line}`)
  }
}

/** How many of the messages that are there already were not sent. It waits for no others: there may be none. */
async function countUnsent(
  first: Promise<IteratorResult<Step>>,
  next: () => Promise<IteratorResult<Step>>,
): Promise<number> {
  let unsent = 0
  for (let coming = first; unsent < MOST_COUNTED; coming = next()) {
    coming.catch(() => {})
    const step = await Promise.race([coming, nextTurn()])
    if (!step || step.done) break
    if (step.value.do === 'send') unsent += 1
  }
  return unsent
}

/**
 * The steps of lines as they come. An empty line is none: it is typed without a thought.
 *
 * @param onMistake who is told of a line that is no step. Default: it is thrown, with its number.
 */
async function* stepsOf(
  input: AsyncIterator<string>,
  lines: TypedLines,
  onMistake?: (line: string) => Promise<void>,
): AsyncGenerator<Step, void, void> {
  for (let number = 1; ; number += 1) {
    const { value, done } = await input.next()
    if (done) return
    const line = number === 1 ? value.replace(/^\uFEFF/, '') : value // a mark that PowerShell begins a pipe with
    if (line === '') continue
    let step: Step
    try {
      step = lines.stepOf(line)
    } catch (error) {
      if (!(error instanceof ReaderError)) throw error
      if (!onMistake) throw new ReaderError(`Line ${number}: ${error.message}`)
      await onMistake(error.message)
      continue
    }
    yield step
  }
}

/** Connects, or waits for somebody who does. Says where; or why not, and returns nothing. */
async function open(
  { host, port, listen }: TalkOptions,
  say: (line: string) => void,
): Promise<Socket | undefined> {
  const address = addressOf(host, port)
  try {
    const socket = await (listen ? firstToConnect(host, port, say) : connected(host, port))
    const other = listen ? addressOf(socket.remoteAddress ?? host, socket.remotePort ?? port) : address
    const own = listen ? '' : ` as ${addressOf(socket.localAddress ?? '', socket.localPort ?? 0)}`
    say(`Connected to ${other}${own}`)
    return socket
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = WHY_NOT[code ?? '']?.(address)
    console.error(why ?? `Cannot ${listen ? 'listen on' : 'connect to'} ${address}: ${message}.`)
    return undefined
  }
}

async function connected(host: string, port: number): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true })
  const timeout = AbortSignal.timeout(CONNECT_TIMEOUT_MS)
  try {
    await once(socket, 'connect', { signal: timeout })
  } catch (error) {
    socket.on('error', () => {}).destroy()
    throw timeout.aborted ? Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }) : error
  }
  return socket
}

async function firstToConnect(host: string, port: number, say: (line: string) => void): Promise<Socket> {
  const server = createServer({ noDelay: true, allowHalfOpen: true })
  server.listen({ host, port })
  await once(server, 'listening')
  say(`Listening on ${addressOf(host, port)}, for one connection`)
  const [socket] = (await once(server, 'connection')) as [Socket]
  server.close()
  return socket
}

const WHY_NOT: Record<string, (address: string) => string> = {
  ECONNREFUSED: (address) => {
    const command = commandThatListens(Number(/\d+$/.exec(address)?.[0]))
    return `Nobody listens on ${address}. ${command ? `Start who does, in another terminal: ${command}` : 'Is it the right port?'}`
  },
  ENOTFOUND: (address) => `No machine is known by the name in ${address}. Is it spelled right?`,
  EAI_AGAIN: (address) => `No machine is known by the name in ${address}. Is it spelled right?`,
  ETIMEDOUT: (address) =>
    `No answer from ${address}. Is that machine on, the address right, and the port open in its firewall?`,
  EHOSTUNREACH: (address) => `There is no route to ${address}. Are both machines on the same network?`,
  ENETUNREACH: (address) => `There is no route to ${address}. Are both machines on the same network?`,
  EADDRINUSE: (address) => `Another program listens on ${address} already. Stop it, or choose another port.`,
  EADDRNOTAVAIL: (address) => `This machine does not have the address in ${address}. 127.0.0.1 is its own.`,
  EACCES: (address) => `This user may not listen on ${address}. Choose a port from 1024 to 65535.`,
}

/** `127.0.0.1:7000`, and `[::1]:7000` for an IPv6 address. */
function addressOf(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}
