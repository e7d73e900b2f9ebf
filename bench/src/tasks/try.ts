import { taskCosts } from './index.ts'
console.log(await taskCosts(process.argv[2] === 'redis', (w) => console.error(new Date().toISOString(), w), console.log))
process.exit()
