import { mkdtempSync } from 'node:fs'
import { cluster } from './index.ts'
import { makeKeys, NODES } from './keys.ts'
await makeKeys(mkdtempSync('/tmp/bk-'))
const c = await cluster(NODES)
for (const n of [5000, 30000, 50000, 70000, 90000]) { const { tookMs } = await c.submit({ empty: n }); console.log(n, Math.round(n * 1000 / tookMs)) }
process.exit()
