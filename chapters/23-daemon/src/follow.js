/**
 * Runs in the browser: follows a stream of the web server, and says in the line of the page when nobody is there. It goes
 * about it as the first page does.
 */

/** Something comes every 15 s, if only that nothing has changed. After twice that time nobody is there, in ms. */
const SILENCE_MS = 35_000

/** After what the browser takes for final, in ms: it tries again by itself otherwise. */
const AGAIN_MS = 5_000

const line = document.getElementById('line')

/**
 * Begins: at once, and whenever the page is seen again or the server is back.
 *
 * @param begin is called each time: what has been missed may not come
 * @param take is called with the rows that are new
 */
export function follow(path, { version, zone, begin, take }) {
  let source
  let timer
  let heard = new Date()
  let isLost = false

  function open() {
    if (source) return
    source = new EventSource(`${path}?since=${version}`)
    for (const type of ['open', 'beat', 'message']) source.addEventListener(type, alive)
    source.addEventListener('message', ({ lastEventId, data }) => {
      version = lastEventId
      take(JSON.parse(data).rows)
    })
    source.addEventListener('error', lost)
    wait(SILENCE_MS)
    begin()
  }

  function close() {
    clearTimeout(timer)
    source?.close()
    source = undefined
  }

  function alive() {
    heard = new Date()
    wait(SILENCE_MS)
    if (isLost) begin()
    isLost = false
  }

  function lost() {
    isLost = true
    const then = heard.toLocaleTimeString('sv', { timeZone: zone })
    line.textContent = `The web server is out of reach. What stands here is of ${then}.`
    if (source?.readyState === EventSource.CLOSED) wait(AGAIN_MS)
  }

  /** Begins anew when nothing has come for so long. */
  function wait(ms) {
    clearTimeout(timer)
    timer = setTimeout(() => {
      close()
      lost()
      open()
    }, ms)
  }

  // A browser has six connections to a site: a page that nobody sees gives its own back.
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()))
  addEventListener('pagehide', close)
  addEventListener('pageshow', () => document.hidden || open())
  if (!document.hidden) setTimeout(open) // who follows has this to work with then

  return {
    /** Whether somebody is there, and the page is seen. */
    get isThere() {
      return source !== undefined && !isLost
    },
    /** Says something else in the line, unless nobody is there. */
    say(text) {
      if (!isLost) line.textContent = text
    },
  }
}
