import { mkdtempSync } from 'node:fs'
import { cluster } from './index.ts'
import { makeKeys } from './keys.ts'
await makeKeys(mkdtempSync('/tmp/bk-'))
for (let k = 0; k < 2; k++) {
const c = await cluster([])
await c.submit({ queued: 10000 })
const a: any = await c.tellPrimary({})
const { inputBytes } = await c.submit({ queued: 90000 })
const b: any = await c.tellPrimary({})
console.log('rss', (b.memory - a.memory - inputBytes) / 90000, 'heap', (b.heap - a.heap - inputBytes) / 90000, inputBytes / 90000)
c.end()
}
process.exit()
