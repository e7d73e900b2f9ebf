// Loaded into a node's program before its own code in the control of a scenario: takes away what the scenario is about.
//
// TUTORIAL_WITHOUT=reconnection    the program may connect once; who tries again is ended
// TUTORIAL_WITHOUT=chance          Math.random() is no chance: it gives the same number each time
import net from 'node:net'

const without = process.env.TUTORIAL_WITHOUT

if (without === 'chance') Math.random = () => 0.5

if (without === 'reconnection') {
  const { connect } = net.Socket.prototype
  let first
  net.Socket.prototype.connect = function (...args) {
    first ??= this
    if (this !== first) {
      console.error('It may not connect again here: this is what the control takes away.')
      process.exit(1)
    }
    return connect.apply(this, args)
  }
}
