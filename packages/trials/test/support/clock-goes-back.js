// Loaded into a program before its own code. At SIGUSR2 its clock is set back by an hour, as far as
// the program can see: Date. (The system's monotonic clock, by which timers run, cannot be set.)
const HOUR_MS = 3_600_000
const RealDate = Date
let backMs = 0

class MovedDate extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() - backMs)
    else super(...args)
  }

  static now() {
    return RealDate.now() - backMs
  }
}
globalThis.Date = MovedDate

process.on('SIGUSR2', () => {
  backMs = HOUR_MS
})
