/**
 * Runs in the browser: shows each part of the page as it is now. The web server sends a part as HTML when it has changed,
 * and the page makes the old one like it.
 */

/** Something comes every 15 s, if only that nothing has changed. After twice that time nobody is there, in ms. */
const SILENCE_MS = 35_000

/** After what the browser takes for final, in ms: it tries again by itself otherwise. */
const AGAIN_MS = 5_000

/** How often who hears the page is told what it says of all, in ms: not for each of a hundred nodes that come. */
const TELL_MS = 1_000

/** Names as people count them: pi-2 before pi-10. */
const inOrder = new Intl.Collator('en', { numeric: true })

const line = document.getElementById('line')
let { version } = document.getElementById('parts').dataset
let source
let timer
let heard = new Date()
let telling
let words

function open() {
  if (source) return
  source = new EventSource(`/events?since=${version}`)
  source.addEventListener('open', alive)
  source.addEventListener('beat', alive)
  source.addEventListener('message', (event) => {
    alive()
    version = event.lastEventId
    show(JSON.parse(event.data))
  })
  source.addEventListener('error', lost)
  wait(SILENCE_MS)
}

function close() {
  clearTimeout(timer)
  source?.close()
  source = undefined
}

function alive() {
  heard = new Date()
  line.textContent = ''
  wait(SILENCE_MS)
}

function lost() {
  const then = heard.toLocaleTimeString('sv')
  line.textContent ||= `The web server is out of reach. What stands here is of ${then}.`
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

function show({ all, rows, removed }) {
  for (const id of removed) document.getElementById(id)?.remove()
  if (all) for (const part of document.querySelectorAll('[data-part]')) if (!(part.id in rows)) part.remove()
  for (const [id, html] of Object.entries(rows)) {
    const template = document.createElement('template')
    template.innerHTML = html
    const part = template.content.firstElementChild
    const old = document.getElementById(id)
    if (old?.role === 'status') tell(old, part.textContent)
    else if (old) makeLike(old, part)
    else place(part)
  }
}

/** Puts a part where it says that it belongs: behind the others of its kind, before them, or between them by its name. */
function place(part) {
  const into = document.getElementById(part.dataset.into)
  const isLater = ({ id }) => inOrder.compare(id, part.id) > 0
  if ('first' in part.dataset) into?.prepend(part)
  else if ('sorted' in part.dataset) into?.insertBefore(part, [...into.children].find(isLater) ?? null)
  else into?.append(part)
}

/**
 * Changes only what differs: the work changes four times a second, and a button that was replaced meanwhile would lose its
 * focus, or a press that has begun.
 */
function makeLike(old, part) {
  if (old.isEqualNode(part)) return
  const isAlike = old.nodeName === part.nodeName && old.id === part.id
  if (!isAlike || old.childNodes.length !== part.childNodes.length) {
    old.replaceWith(part)
  } else if (old.nodeType === Node.ELEMENT_NODE) {
    for (const name of old.getAttributeNames()) if (!part.hasAttribute(name)) old.removeAttribute(name)
    for (const name of part.getAttributeNames())
      if (old.getAttribute(name) !== part.getAttribute(name)) old.setAttribute(name, part.getAttribute(name))
    const children = [...part.childNodes]
    for (const [index, child] of [...old.childNodes].entries()) makeLike(child, children[index])
  } else {
    old.nodeValue = part.nodeValue
  }
}

/** Only what changes in a part that stays is read out. */
function tell(part, text) {
  words = text
  if (telling) return
  part.textContent = words
  telling = setTimeout(() => {
    telling = undefined
    if (part.textContent !== words) tell(part, words)
  }, TELL_MS)
}

// A browser has six connections to a site: a page that nobody sees gives its own back.
document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()))
addEventListener('pagehide', close)
addEventListener('pageshow', () => document.hidden || open())
if (!document.hidden) open()
