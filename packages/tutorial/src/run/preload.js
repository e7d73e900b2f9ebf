// Loaded into a program before its own code (by NODE_OPTIONS) when a test runs it, or `pnpm record` does.
// The program does not know.
//
// TUTORIAL_CLOCK_SPEED=10      every timer fires after a tenth of its time
// TUTORIAL_PORTS=7000:40123    whoever listens on port 7000, or connects to it, uses port 40123
// TUTORIAL_TAPS=node 1:7000:40124,node 2:7000:40125
//                              who connects to port 7000 uses port 40124 when it is node 1 (the start tool
//                              says so in TUTORIAL_PROGRAM), and is told that it is connected to 7000
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'

const speed = Number(process.env.TUTORIAL_CLOCK_SPEED ?? 1)
const ports = new Map(
  (process.env.TUTORIAL_PORTS ?? '')
    .split(',')
    .filter(Boolean)
    .map((pair) => pair.split(':').map(Number)),
)
const taps = new Map(
  (process.env.TUTORIAL_TAPS ?? '')
    .split(',')
    .map((tap) => tap.split(':'))
    .filter(([program]) => program === process.env.TUTORIAL_PROGRAM)
    .map(([, port, tap]) => [Number(port), Number(tap)]),
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
net.Server.prototype.listen = function (where, ...rest) {
  const isObject = typeof where === 'object' && where !== null
  const port = ports.get(Number(isObject ? where.port : where))
  if (port === undefined) return listen.call(this, where, ...rest)
  return listen.call(this, isObject ? { ...where, port } : port, ...rest)
}

const { connect } = net.Socket.prototype
net.Socket.prototype.connect = function (args, ...rest) {
  if (typeof args === 'number') {
    const host = typeof rest[0] === 'string' ? rest.shift() : undefined
    return this.connect({ port: args, host }, ...rest)
  }
  // net.connect() hands its arguments over as one list, whose first item is the options.
  const options = Array.isArray(args) ? args[0] : args
  const asked = Number(options?.port)
  if (taps.has(asked)) {
    options.port = taps.get(asked)
    Object.defineProperty(this, 'remotePort', { get: () => this.remoteAddress && asked })
  } else if (ports.has(asked)) options.port = ports.get(asked)
  return connect.call(this, args, ...rest)
}

syncBuiltinESMExports()
