// Loaded into a program before its own code (by NODE_OPTIONS) when tests run it. The program does not know.
//
// TUTORIAL_CLOCK_SPEED=10      every timer fires after a tenth of its time
// TUTORIAL_PORTS=31415:40123   whoever listens on port 31415, or connects to it, uses port 40123
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'

const speed = Number(process.env.TUTORIAL_CLOCK_SPEED ?? 1)
const ports = new Map(
  (process.env.TUTORIAL_PORTS ?? '').split(',').map((pair) => pair.split(':').map(Number)),
)

/** The same timer function, with its time (the argument at `index`) divided by the speed. */
function faster(timer, index) {
  const fast = (...args) => {
    if (typeof args[index] === 'number') args[index] /= speed
    return timer(...args)
  }
  return Object.defineProperties(fast, Object.getOwnPropertyDescriptors(timer))
}

globalThis.setTimeout = timers.setTimeout = faster(timers.setTimeout, 1)
globalThis.setInterval = timers.setInterval = faster(timers.setInterval, 1)
timersPromises.setTimeout = faster(timersPromises.setTimeout, 0)
timersPromises.setInterval = faster(timersPromises.setInterval, 0)

const { listen } = net.Server.prototype
net.Server.prototype.listen = function (options, ...rest) {
  return listen.call(this, { ...options, port: ports.get(options.port) ?? options.port }, ...rest)
}

const { connect } = net.Socket.prototype
net.Socket.prototype.connect = function (args, ...rest) {
  // net.connect() hands its arguments over as one list, whose first item is the options.
  const options = Array.isArray(args) ? args[0] : args
  if (ports.has(options?.port)) options.port = ports.get(options.port)
  return connect.call(this, args, ...rest)
}

syncBuiltinESMExports()
