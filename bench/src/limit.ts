/**
 * What JSON alone allows, as a process of its own: `limit.ts parse 62 WARM_UP_MS MEASURE_MS`. It prints its
 * reading as JSON.
 */
import { distinctMessages } from './messages.ts'
import { looksEvery, meter } from './meter.ts'

const [what, size, warmUpMs, measureMs] = process.argv
  .slice(2)
  .map((arg, n) => (n === 0 ? arg : Number(arg))) as ['parse' | 'stringify', number, number, number]
const messages = distinctMessages(size)
const texts = messages.map((message) => JSON.stringify(message))

let finished = false
const count = meter({ warmUpMs, measureMs }, looksEvery(size), (reading) => {
  console.log(JSON.stringify(reading))
  finished = true
})

let sum = 0 // so that no result goes unused
while (!finished) {
  if (what === 'parse') {
    for (const text of texts) {
      sum += JSON.parse(text).payload.length
      count()
    }
  } else {
    for (const message of messages) {
      sum += JSON.stringify(message).length
      count()
    }
  }
}
if (sum === 0) throw new Error('Nothing was measured')
