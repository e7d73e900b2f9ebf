/** Streams of bytes as hostile peers may send them, made from a seed. */
import fc from 'fast-check'
import { MAX_FRAME_BYTES, nested } from './cluster.ts'

/** What one hostile peer does: it sends these pieces, each by itself, and goes. */
export interface HostileStream {
  pieces: Uint8Array[]
  goes: 'ends' | 'resets' | 'half-closes and waits'
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', '\x1b[2J', '\r', '\n', '\u2028', '\ud800', ''),
)

const type = fc.oneof(fc.constantFrom('message', 'machine_details', 'master_info'), text, fc.jsonValue())

const message = fc.oneof(
  fc.record({ type, payload: fc.jsonValue({ stringUnit: 'binary' }) }, { requiredKeys: [] }),
  fc.record({ type: fc.constantFrom('message', 'machine_details'), payload: text }),
  fc.jsonValue(),
)

const frame = fc.oneof(
  { weight: 8, arbitrary: message.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: text },
  { weight: 1, arbitrary: message.map((value) => JSON.stringify(value).slice(0, -1)) },
  { weight: 1, arbitrary: fc.nat(5_000).map(nested) },
  { weight: 1, arbitrary: fc.nat(5_000).map((depth) => nested(depth).slice(0, -1)) },
)

const rarely = fc.oneof(
  fc.constant(nested(400_000)),
  fc.constant('x'.repeat(MAX_FRAME_BYTES + 1)),
  fc.constant(`{"type":"message","payload":"${'ü'.repeat(100_000)}"}`),
  fc.constant(`{"type":"${'\\u0000'.repeat(100_000)}","payload":[]}`),
)

const bytes = fc.oneof(
  { weight: 600, arbitrary: frame.map((frame) => Buffer.from(`${frame}\r`)) },
  { weight: 100, arbitrary: frame.map((frame) => Buffer.from(frame)) },
  { weight: 50, arbitrary: frame.map((frame) => Buffer.from(`${frame}\r`, 'latin1')) },
  { weight: 100, arbitrary: fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array)) },
  { weight: 20, arbitrary: fc.constant(Buffer.from('\r')) },
  { weight: 1, arbitrary: rarely.map((frame) => Buffer.from(`${frame}\r`)) },
)

const hostileStream: fc.Arbitrary<HostileStream> = fc
  .record({
    stream: fc.array(bytes, { maxLength: 6 }).map((parts) => Buffer.concat(parts)),
    cuts: fc.array(fc.nat(400), { maxLength: 4 }),
    goes: fc.constantFrom('ends', 'resets', 'half-closes and waits'),
  })
  .map(({ stream, cuts, goes }) => {
    const places = [0, ...cuts.map((at) => Math.min(at, stream.length)).sort((a, b) => a - b), stream.length]
    const pieces = places.slice(1).map((end, index) => stream.subarray(places[index], end))
    return { pieces: pieces.filter(({ length }) => length > 0), goes }
  })

/** So many hostile streams, the same ones for the same seed. */
export function* hostileStreams(seed: number, count: number): Generator<HostileStream> {
  const batch = 500
  for (let first = 0; first < count; first += batch) {
    yield* fc.sample(hostileStream, { seed: seed + first, numRuns: Math.min(batch, count - first) })
  }
}
