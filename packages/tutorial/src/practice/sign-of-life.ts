/** Something to see while a reader waits. */

/** How long a command may be silent before it says what it does, in ms. */
const SILENCE_MS = 500

/**
 * Says on stderr what is being done, until it is: in a terminal with the seconds that have passed, in a line that
 * goes away; elsewhere once.
 *
 * @param what `Trying this`
 */
export async function withSignOfLife<Result>(what: string, work: Promise<Result>): Promise<Result> {
  const { stderr } = process
  const began = performance.now()
  let isShown = false
  const show = () => {
    if (isShown && !stderr.isTTY) return
    isShown = true
    const seconds = Math.round((performance.now() - began) / 1000)
    stderr.write(stderr.isTTY ? `\r${what} ... ${seconds} s ` : `${what} ...\n`)
  }
  const first = setTimeout(show, SILENCE_MS)
  const others = setInterval(show, 1000)
  try {
    return await work
  } finally {
    clearTimeout(first)
    clearInterval(others)
    if (isShown && stderr.isTTY) stderr.write('\r\u001b[K')
  }
}
