/**
 * Those who put values into etcd: `putters.ts URL CONNECTIONS`, each with a connection of its own, as gRPC has it. They do what they
 * are told.
 */
import { type ClientHttp2Session, connect } from 'node:http2'
import { rateOf } from '../task-store/rate.ts'
import { medianOf } from '../tasks/latencies.ts'
import { VALUE_SIZE } from './value.ts'

export interface PuttersOrder {
  /** How many put at once. */
  atOnce?: number
  /** How many values one after the other. */
  oneByOne?: number
}

export interface PuttersReport {
  /** Acknowledged, a second. */
  rate: number
  /** The median, in µs. */
  oneByOne: number
}

const [, , url = '', connections = ''] = process.argv
const sessions = Array.from({ length: Number(connections) }, () => connect(url))
const value = Buffer.alloc(VALUE_SIZE, 'x')
let count = 0

/** A PutRequest: field 1 is the key, field 2 the value, each with its length; before it, as gRPC wants it, its own length. */
function requestOf(key: Buffer): Buffer {
  const message = Buffer.concat([
    Buffer.from([0x0a, key.length]),
    key,
    Buffer.from([0x12, value.length]),
    value,
  ])
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

function put(session: ClientHttp2Session): Promise<void> {
  count += 1
  const key = Buffer.from(`task/${count}`)
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/etcdserverpb.KV/Put',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    let status: unknown
    stream
      .on('trailers', (trailers) => {
        status = trailers['grpc-status']
      })
      .on('error', reject)
      .on('end', () =>
        Number(status) === 0 ? resolve() : reject(new Error(`etcd has refused a value: ${status}`)),
      )
      .resume()
      .end(requestOf(key))
  })
}

process.on('disconnect', () => process.exit())
process.on('message', async ({ atOnce = 0, oneByOne = 0 }: PuttersOrder) => {
  const by = (who: number) => put(sessions[who % sessions.length] as ClientHttp2Session)
  process.send?.({
    rate: atOnce && (await rateOf(atOnce, by)),
    oneByOne: await medianOf(oneByOne, () => by(0)),
  } satisfies PuttersReport)
})
