/**
 * An event of a task as bytes. What a log has to know of it (which kind, and of which task) stands first, so that it is
 * copied without being understood; the input or the result stands last, as the text that it is.
 *
 * @since 0.25.0
 */
import { OperationalError } from './lifecycle.ts'
import type { TaskEvent } from './task-journal.ts'

/** In the order of their numbers in a file, which never change. */
const KINDS = ['submitted', 'tried', 'ended', 'retried'] as const

type Kind = (typeof KINDS)[number]

/**
 * The most bytes that an event may have. A frame has 1 MiB, and a log's record a few bytes of its own.
 *
 * @internal
 */
export const MOST_EVENT_BYTES = 16 * 1024 * 1024

/** How long an id may be, in bytes. */
const LONGEST_ID = 1000

/** What an event's texts are while they are counted. */
interface Parts {
  kind: number
  id: string
  head: string
  text: string
  idBytes: number
  headBytes: number
  bytes: number
}

/** An event as it stands in a log, without what the log adds. */
interface Whole {
  kind: Kind
  id: string
  input?: string
  result?: string
}

/**
 * Events one after the other, each with its length before it: what a thread is handed over.
 *
 * @throws OperationalError when one of them is too large, or of a kind that there is not
 * @internal
 */
export function encodeEvents(events: readonly TaskEvent[]): Uint8Array<ArrayBuffer> {
  const all = events.map(partsOf)
  // A memory of its own, which can be handed over to a thread.
  const bytes = Buffer.allocUnsafeSlow(all.reduce((sum, parts) => sum + 4 + parts.bytes, 0))
  let at = 0
  for (const parts of all) {
    at = bytes.writeUInt32LE(parts.bytes, at)
    at = bytes.writeUInt8(parts.kind, at)
    at = bytes.writeUInt16LE(parts.idBytes, at)
    at += bytes.write(parts.id, at)
    at = bytes.writeUInt32LE(parts.headBytes, at)
    at += bytes.write(parts.head, at)
    at += bytes.write(parts.text, at)
  }
  return bytes
}

function partsOf(event: TaskEvent): Parts {
  const { kind, id, input, result, ...rest } = event as Whole
  const number = KINDS.indexOf(kind)
  if (number < 0) throw new OperationalError(`There is no event ${JSON.stringify(kind)} of a task.`)
  const head = JSON.stringify(rest)
  const text = input ?? result ?? ''
  const idBytes = Buffer.byteLength(id)
  const headBytes = Buffer.byteLength(head)
  const bytes = 1 + 2 + idBytes + 4 + headBytes + Buffer.byteLength(text)
  if (idBytes > LONGEST_ID)
    throw new OperationalError(`An id of ${idBytes} bytes is too long: it may have ${LONGEST_ID}.`)
  if (bytes > MOST_EVENT_BYTES)
    throw new OperationalError(
      `What has become of task ${id} has ${bytes} bytes, and a record may have ${MOST_EVENT_BYTES}.`,
    )
  return { kind: number, id, head, text, idBytes, headBytes, bytes }
}

/**
 * The same of events that are bytes already.
 *
 * @internal
 */
export function encodeRaw(contents: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.allocUnsafeSlow(contents.reduce((sum, content) => sum + 4 + content.length, 0))
  let at = 0
  for (const content of contents) {
    at = bytes.writeUInt32LE(content.length, at)
    bytes.set(content, at)
    at += content.length
  }
  return bytes
}

/**
 * The events that stand one after the other, as {@link encodeEvents} has put them there: each as a part of that memory.
 *
 * @internal
 */
export function* splitEvents(bytes: Uint8Array): Generator<Buffer, void, void> {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < all.length; ) {
    const end = at + 4 + all.readUInt32LE(at)
    yield all.subarray(at + 4, end)
    at = end
  }
}

/**
 * What a log looks at: the kind, and the task.
 *
 * @internal
 */
export function peekEvent(content: Buffer): { kind: Kind | undefined; id: string } {
  return { kind: KINDS[content[0] ?? -1], id: content.toString('utf8', 3, 3 + content.readUInt16LE(1)) }
}

/**
 * What an event says without its input or result, which may be long.
 *
 * @internal
 */
export function headOfEvent(content: Buffer): Record<string, unknown> {
  return JSON.parse(headTextOf(content))
}

/**
 * The same, as JSON.
 *
 * @internal
 */
export function headTextOf(content: Buffer): string {
  const start = 7 + content.readUInt16LE(1)
  return content.toString('utf8', start, start + content.readUInt32LE(start - 4))
}

/**
 * The event itself.
 *
 * @internal
 */
export function decodeEvent(content: Buffer): TaskEvent {
  const { kind, id } = peekEvent(content)
  const start = 7 + content.readUInt16LE(1)
  const text = content.toString('utf8', start + content.readUInt32LE(start - 4))
  const rest =
    kind === 'submitted' ? { input: text } : kind === 'ended' && text !== '' ? { result: text } : undefined
  return { kind, id, ...headOfEvent(content), ...rest } as TaskEvent
}
