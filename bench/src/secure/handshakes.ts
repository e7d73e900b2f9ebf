/** Connects and leaves, eight at a time, for a while: `handshakes.ts WAY PORT FOR-MS`. Tells how many times a second. */
import { connectingBy, type Way } from './ways.ts'

const AT_ONCE = 8

const [way, port, forMs] = process.argv.slice(2)
const connect = await connectingBy(way as Way, Number(port))

/** How many that make a second. */
async function measure(ms: number): Promise<number> {
  const began = performance.now()
  let count = 0
  const goOn = async () => {
    while (performance.now() - began < ms) {
      const connection = await connect()
      await connection.close()
      count += 1
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, goOn))
  return (1000 * count) / (performance.now() - began)
}

process.on('disconnect', () => process.exit())
await measure(Number(forMs) / 2)
process.send?.({ perSecond: await measure(Number(forMs)) })
