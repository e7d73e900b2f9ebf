// Loaded into a program before its own code. At SIGUSR2 it collects its garbage, and writes what it still holds to the
// file that MEMORY_FILE names: memory, sockets that are open, and all that are still an object.
import { renameSync, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { queryObjects } from 'node:v8'

// At its first call Node warns that it is experimental. Any other warning is one.
const { emitWarning } = process
process.emitWarning = () => {}
queryObjects(Socket)
process.emitWarning = emitWarning

process.on('SIGUSR2', () => {
  queryObjects(Socket) // collects all garbage
  // What had to be finished first lets go of more.
  setImmediate(() => {
    const sockets = queryObjects(Socket)
    const { heapUsed, rss } = process.memoryUsage()
    const open = process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length
    const file = process.env.MEMORY_FILE
    writeFileSync(`${file}.new`, JSON.stringify({ heapUsed, rss, open, sockets }))
    renameSync(`${file}.new`, file)
  })
})
