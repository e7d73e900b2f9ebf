import { bullmqRate } from './bullmq.ts'
const [concurrency = 100, bulk = 1000, tasks = 10000] = process.argv.slice(2).map(Number)
console.log(concurrency, bulk, Math.round(await bullmqRate({ warmUp: 2000, tasks }, { concurrency, bulk })))
process.exit()
