import { execSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs'
import { cluster } from './index.ts'
import { makeKeys, NODES } from './keys.ts'
await makeKeys(mkdtempSync('/tmp/bk-'))
const c = await cluster(NODES.slice(0, 1))
for (let n = 0; n < 8; n++) {
const a = await c.submit({ roundTrips: 200 }); const b = await c.tellPrimary({ roundTrips: 200 }); const p = await c.callsOf(200); const { oneByOne } = await c.submit({ oneByOne: 200 })
console.log(a.roundTrip | 0, b.roundTrip | 0, p | 0, '=', (a.roundTrip + b.roundTrip + p) | 0, oneByOne | 0, (oneByOne / (a.roundTrip + b.roundTrip + p)).toFixed(2))
}
if (!process.env['NODE_OPTIONS']) process.exit()
for (const l of execSync('ps -e -o pid=,args=').toString().split('\n')) if (/tasks\/(primary|node|submitter)\.ts/.test(l)) process.kill(Number(l.trim().split(' ')[0]), 'SIGUSR2')
await new Promise((r) => setTimeout(r, 1000))
const all: [string, number][] = readdirSync('/tmp/prof').filter((f) => f[0] === 't').flatMap((f) => JSON.parse(readFileSync('/tmp/prof/' + f, 'utf8'))).sort((x: any, y: any) => x[1] - y[1])
const gaps = new Map<string, number[]>()
for (let i = 1; i < all.length; i++) { const k = `${all[i - 1]![0]} -> ${all[i]![0]}`; gaps.set(k, [...(gaps.get(k) ?? []), all[i]![1] - all[i - 1]![1]]) }
for (const [k, v] of [...gaps].filter(([, v]) => v.length > 100)) { v.sort((a, b) => a - b); console.log(k.padEnd(40), v.length, v[v.length >> 1]!.toFixed(0)) }
process.exit()
