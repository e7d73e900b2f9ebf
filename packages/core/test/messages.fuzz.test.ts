/** Messages against JSON.parse: whatever is done to read them fast, the same must come out. */
import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FrameError } from '../src/json-lines.ts'
import { handleMessages } from '../src/messages.ts'
import { connectedPair } from './support.ts'

const seed = Number(process.env['FUZZ_SEED'] ?? randomInt(1_000_000_000))
const numRuns = Math.max(200, Number(process.env['FUZZ_STREAMS'] ?? 0) / 50)

const type = fc.oneof(
  fc.constantFrom('message', 'message', 'message', 'machine_details', '__proto__', ''),
  fc.string({ unit: 'binary', maxLength: 4 }),
)
const payload = fc.oneof(
  fc.jsonValue({ stringUnit: 'binary', maxDepth: 2 }).map((value) => JSON.stringify(value)),
  fc.nat(1000).map(String), // which is still JSON when it lacks its end
)

/** Frames that begin, or end, as a message does, most of which are one. */
const frame = fc.oneof(
  { weight: 6, arbitrary: envelope('{"type":T,"payload":P}') },
  ...[
    '{"type":T,"payload":P} ',
    '{"type":T,"payload": P\n}',
    '{ "type":T,"payload":P}',
    '{"payload":P,"type":T}',
    '{"type":T,"payload":P,"payload":T}',
    '{"type":T,"payload":P,"type":"other"}',
    '{"type":T,"payload":P,"more":{}}',
    '{"type":T,"payload":P,"__proto__":{"type":1}}',
    '{"type":T,"payload":P}}',
    '{"type":T,"payload":P]}',
    '{"type":T,"payload":}',
    '{"type":T,"payload":P',
    '{"type":T}',
    '{"type":P,"payload":T}',
    '[{"type":T,"payload":P}]',
  ].map(envelope),
)

function envelope(template: string): fc.Arbitrary<string> {
  return fc
    .tuple(type, payload)
    .map(([type, payload]) =>
      template.replaceAll(/[TP]/g, (part) => (part === 'T' ? JSON.stringify(type) : payload)),
    )
}

test(
  `a stream of messages, and of what looks like one, is read as JSON.parse would (seed ${seed})`,
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 20 }), async (frames) => {
        const { master, slave } = await connectedPair()
        const messages: unknown[] = []
        const handling = handleMessages(
          master,
          {},
          (type, payload) => void messages.push([type, payload]),
        ).then(
          () => undefined,
          (error) => error,
        )
        await slave.write(frames.map((frame) => `${frame}\r`).join(''))
        await slave.close()
        const error = await handling
        const right = messagesIn(frames)
        expect(messages).toEqual(right.messages)
        expect(error?.kind).toBe(right.kind)
        if (error) expect(error).toBeInstanceOf(FrameError)
      }),
      { seed, numRuns },
    )
  },
  30_000 + 20 * numRuns,
)

function messagesIn(frames: string[]): { messages: unknown[]; kind: string | undefined } {
  const messages: unknown[] = []
  for (const frame of frames) {
    let message: Record<string, unknown>
    try {
      message = JSON.parse(frame)
    } catch {
      return { messages, kind: 'not JSON' }
    }
    const { type, payload } = message
    if (typeof type !== 'string' || payload === undefined) return { messages, kind: 'of the wrong shape' }
    messages.push([type, payload])
  }
  return { messages, kind: undefined }
}
