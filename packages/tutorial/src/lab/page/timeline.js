/**
 * A time line of a cluster: a row for each node, and along it what it said, was sent, and went through. It knows events
 * and lanes as plain data, and neither where they come from nor what can be done: the lab's page and the site share it.
 * Its looks are in timeline.css.
 *
 * @import { Lane, LabAction, LabEvent } from '../events.ts'
 */
import { build, fillMenu, itemOfButton, showDetails, showEntries } from './timeline-elements.js'
import {
  actionInWords,
  contentOf,
  describe,
  groupName,
  messageTypeOf,
  PREFIX,
  STATES,
  seconds,
} from './words.js'

/** How many events are kept, and how many characters of theirs: an hour of 50 nodes, in less than 150 MB. */
const MAX_EVENTS = 200_000
const MAX_CHARACTERS = 30_000_000
/** How many more go when there are too many, so that it is not done for each that comes. */
const SPARE = 0.1
/** How many changes of state and faults a lane keeps for its bars. */
const MAX_BARS = 2_000
/** How many entries of the window stand in the list. */
const MAX_LISTED = 100
/** What lasts until it is healed. @type {LabAction['do'][]} */
const LASTING = ['cut', 'black-hole', 'delay', 'trickle']
/** How often the list follows what is drawn, in ms. */
const LIST_MS = 400
/** How long is waited for the next key before a search begins, in ms. */
const SEARCH_MS = 150

/** The shortest and the longest window, in seconds. */
const MIN_SPAN = 0.01
const MAX_SPAN = 24 * 3600
const FIRST_SPAN = 30

const AXIS_HEIGHT = 24
/** How many kinds of marks may lie on each other, and each be seen. */
const LAYERS = 5
/** Less room than that has no text, in CSS pixels. */
const MIN_TEXT = 36
/** How near a click has to be, in CSS pixels. */
const NEAR = 10

/** What is in the menu of kinds, and which types of events it means. */
const KINDS = /** @type {const} */ ({
  line: { name: 'log lines', types: ['line'] },
  bytes: { name: 'messages', types: ['bytes'] },
  connection: { name: 'connections', types: ['opened', 'ended'] },
  state: { name: 'states', types: ['state'] },
  done: { name: 'faults', types: ['done', 'checked'] },
})

/** The colours that are drawn with, each a custom property: `--timeline-info`. */
const COLOURS = /** @type {const} */ ([
  'background',
  'text',
  'muted',
  'grid',
  'info',
  'warning',
  'error',
  'message',
  'up',
  'stopped',
  'dead',
  'fault',
  'selected',
])

/**
 * @typedef {object} Item an event, and what is known of it
 * @property {LabEvent} event
 * @property {number} at
 * @property {string | undefined} lane where it stands
 * @property {string | undefined} to the lane that it goes to
 * @property {string} label in a word or a line
 * @property {boolean} shown whether the filter lets it through
 */

/**
 * @typedef {object} Bar
 * @property {number} from in seconds
 * @property {number} to in seconds; Infinity while it lasts
 * @property {string} what
 * @property {string} says
 */

/**
 * @typedef {object} Filter
 * @property {readonly string[] | undefined} [lanes] only these; undefined: all
 * @property {readonly string[] | undefined} [types] only these types of events: `line`, `bytes`, `opened`, `ended`, `state`,
 *   `done`, `checked`; undefined: all
 * @property {string | undefined} [text] only what has all these words in it, whatever the case
 */

/**
 * @typedef {object} TimelineOptions
 * @property {readonly Lane[]} lanes
 * @property {((event: LabEvent | undefined) => void) | undefined} [onSelect] told which entry is chosen
 * @property {((following: boolean) => void) | undefined} [onFollow] told when following begins and ends, whoever did it
 */

/**
 * @typedef {object} Timeline
 * @property {(events: readonly LabEvent[]) => void} add takes events, about in the order of time
 * @property {(seconds: number) => void} setNow says what time it is
 * @property {(filter: Filter) => void} setFilter changes what is named, and leaves the rest of the filter as it is
 * @property {(following: boolean) => void} follow whether the window moves with the time
 * @property {(lanes: readonly Lane[]) => void} setLanes
 * @property {() => void} showAll shows everything from the first event to now
 * @property {() => void} clear forgets the events
 * @property {() => void} destroy takes it off the page
 */

/**
 * Makes a time line in an element, which should be empty.
 *
 * @param {HTMLElement} element
 * @param {TimelineOptions} options
 * @returns {Timeline}
 */
export function createTimeline(element, { lanes: firstLanes, onSelect, onFollow }) {
  /** @type {Item[]} */
  let items = []
  let characters = 0
  let forgotten = 0
  let now = 0
  let isFollowing = true
  let end = FIRST_SPAN
  let span = FIRST_SPAN
  /** @type {readonly Lane[]} */
  let lanes = firstLanes
  /** @type {Map<string, number>} */
  let rows = new Map()
  /** @type {Filter} */
  const filter = {}
  /** What is searched for. @type {string[]} */
  let words = []
  /** @type {Item | undefined} */
  let selected
  const bars = new Bars()

  const parts = build(element)
  const { canvas, view, list, count, details, position, followButton, search, laneMenu, kindMenu, kept } =
    parts
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'))
  let colours = readColours(element)
  const listening = new AbortController()
  const { signal } = listening

  let width = 0
  let isDirty = false
  let frame = 0
  let drawnAt = -Infinity
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let listTimer
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let searchTimer
  let listedPlace = ''

  const rowHeight = () => (lanes.length <= 8 ? 40 : lanes.length <= 16 ? 28 : 18)
  const labelWidth = () => Math.min(130, Math.max(76, width * 0.2))
  const height = () => AXIS_HEIGHT + rowHeight() * (lanes.length + 1)
  const start = () => end - span
  /** @param {number} at */
  const xOf = (at) => labelWidth() + ((at - start()) / span) * (width - labelWidth())
  /** @param {number} x */
  const timeAt = (x) => start() + ((x - labelWidth()) / (width - labelWidth())) * span
  /** The middle of a lane's row. The first row is of what concerns all. @param {string | undefined} lane */
  const yOf = (lane) =>
    AXIS_HEIGHT + ((lane === undefined ? 0 : (rows.get(lane) ?? -1) + 1) + 0.5) * rowHeight()

  function laneRows() {
    rows = new Map(lanes.map(({ name }, index) => [name, index]))
    fillMenu(
      laneMenu,
      'Nodes',
      lanes.map(({ name }) => [name, name]),
      (chosen) => setFilter({ lanes: chosen }),
      filter.lanes,
    )
  }

  /** @param {readonly Lane[]} changed */
  function setLanes(changed) {
    lanes = changed
    laneRows()
    fit()
  }

  /** @param {Item} item */
  function isShown({ event, lane, to }) {
    if (filter.types && !filter.types.includes(event.type)) return false
    if (filter.lanes && lane !== undefined && !filter.lanes.includes(lane)) {
      if (to === undefined || !filter.lanes.includes(to)) return false
    }
    if (words.length === 0) return true
    const said = event.type === 'bytes' ? `sends ${to} ${contentOf(event)}` : describe(event)
    const text = `${lane ?? 'all'} ${said}`.toLowerCase()
    return words.every((word) => text.includes(word))
  }

  /** @param {readonly LabEvent[]} events */
  function add(events) {
    if (events.length === 0) return
    // A command gets its row when it runs for the first time.
    const names = new Set(
      events.flatMap((event) =>
        event.type === 'state' && event.state === 'started' && !rows.has(event.lane) ? event.lane : [],
      ),
    )
    if (names.size > 0) setLanes([...lanes, ...[...names].map((name) => ({ name, program: name }))])
    let isSorted = true
    let last = items.at(-1)?.at ?? -Infinity
    for (const event of events) {
      const item = itemOf(event)
      item.shown = isShown(item)
      if (item.at < last) isSorted = false
      last = Math.max(last, item.at)
      items.push(item)
      characters += charactersOf(event)
      bars.take(event)
    }
    if (!isSorted) items.sort((one, other) => one.at - other.at)
    if (last > now) now = last
    if (items.length > MAX_EVENTS || characters > MAX_CHARACTERS) forget()
    if (isFollowing) moveToNow()
    redraw()
  }

  function forget() {
    let gone = 0
    while (
      gone < items.length &&
      (items.length - gone > MAX_EVENTS * (1 - SPARE) || characters > MAX_CHARACTERS * (1 - SPARE))
    ) {
      characters -= charactersOf(/** @type {Item} */ (items[gone]).event)
      gone += 1
    }
    items = items.slice(gone)
    forgotten += gone
    kept.textContent = `The oldest ${forgotten.toLocaleString('en')} events are no longer kept in this page: it keeps ${MAX_EVENTS.toLocaleString('en')} at most.`
    kept.hidden = false
  }

  function moveToNow() {
    // Some room at the end, for what comes next.
    end = Math.max(now + span * 0.03, span)
  }

  /** @param {number} seconds */
  function setNow(seconds) {
    now = seconds
    if (isFollowing) moveToNow()
    // Less than a pixel is not seen.
    if (Math.abs(now - drawnAt) > span / Math.max(1, width)) redraw()
  }

  /** @param {Filter} changed */
  function setFilter(changed) {
    Object.assign(filter, changed)
    words = (filter.text ?? '').toLowerCase().split(/\s+/).filter(Boolean)
    for (const item of items) item.shown = isShown(item)
    if (changed.text !== undefined && search.value !== changed.text) search.value = changed.text
    redraw()
  }

  /** @param {boolean} following */
  function follow(following) {
    if (following === isFollowing) return
    isFollowing = following
    followButton.textContent = isFollowing ? 'Pause' : 'Follow'
    if (isFollowing) moveToNow()
    onFollow?.(isFollowing)
    redraw()
  }

  /** @param {number} seconds */
  function pan(seconds) {
    follow(false)
    end = Math.min(Math.max(end + seconds, span * 0.1), Math.max(now, 0) + span)
    redraw()
  }

  /** @param {number} factor @param {number} [around] the time that stays where it is */
  function zoom(factor, around = isFollowing ? end : end - span / 2) {
    const next = Math.min(MAX_SPAN, Math.max(MIN_SPAN, span * factor))
    end = around + (end - around) * (next / span)
    span = next
    if (isFollowing) moveToNow()
    redraw()
  }

  function showAll() {
    const first = items[0]?.at ?? 0
    follow(false)
    span = Math.min(MAX_SPAN, Math.max(1, (now - first) * 1.06))
    end = now + span * 0.03
    redraw()
  }

  /** @param {Item | undefined} item */
  function select(item) {
    selected = item
    showDetails(details, item)
    onSelect?.(item?.event)
    redraw()
    updateList(true)
  }

  // Drawing.

  function redraw() {
    if (isDirty) return
    isDirty = true
    frame = requestAnimationFrame(draw)
  }

  function fit() {
    width = Math.max(1, view.clientWidth)
    const scale = devicePixelRatio
    canvas.width = Math.round(width * scale)
    canvas.height = Math.round(height() * scale)
    canvas.style.height = `${height()}px`
    pen.setTransform(scale, 0, 0, scale, 0, 0)
    redraw()
  }

  function draw() {
    isDirty = false
    drawnAt = now
    const size = rowHeight()
    const left = labelWidth()
    pen.fillStyle = colours.background
    pen.fillRect(0, 0, width, height())
    drawAxis(left)
    drawRows(left, size)
    pen.save()
    pen.beginPath()
    pen.rect(left, 0, width - left, height())
    pen.clip()
    drawBars(left, size)
    drawItems(left, size)
    drawNow()
    pen.restore()
    position.max = String(Math.max(now, span))
    position.step = String(span / 100)
    if (document.activeElement !== position || isFollowing) position.value = String(end)
    listTimer ??= setTimeout(() => {
      listTimer = undefined
      updateList(false)
    }, LIST_MS)
  }

  /** @param {number} left */
  function drawAxis(left) {
    const step = niceStep((span / Math.max(1, width - left)) * 90)
    pen.font = '11px system-ui, sans-serif'
    pen.textBaseline = 'middle'
    pen.textAlign = 'center'
    pen.strokeStyle = colours.grid
    pen.lineWidth = 1
    for (let at = Math.ceil(Math.max(0, start()) / step) * step; at <= end; at += step) {
      const x = Math.round(xOf(at)) + 0.5
      pen.beginPath()
      pen.moveTo(x, AXIS_HEIGHT)
      pen.lineTo(x, height())
      pen.stroke()
      pen.fillStyle = colours.muted
      if (x > left + 18 && x < width - 18) pen.fillText(clock(at, step), x, AXIS_HEIGHT / 2)
    }
  }

  /** @param {number} left @param {number} size */
  function drawRows(left, size) {
    pen.textAlign = 'left'
    pen.font = `${size < 20 ? 11 : 13}px system-ui, sans-serif`
    const names = ['all', ...lanes.map(({ name }) => name)]
    names.forEach((name, index) => {
      const top = AXIS_HEIGHT + index * size
      pen.strokeStyle = colours.grid
      pen.beginPath()
      pen.moveTo(0, top + 0.5)
      pen.lineTo(width, top + 0.5)
      pen.stroke()
      const isDimmed = index === 0 || (filter.lanes && !filter.lanes.includes(name))
      pen.fillStyle = isDimmed ? colours.muted : colours.text
      pen.fillText(shortened(pen, name, left - 10), 4, top + size / 2)
    })
  }

  /** @param {number} left @param {number} size */
  function drawBars(left, size) {
    const thick = size < 20 ? 4 : 6
    for (const { name } of lanes) {
      const bottom = yOf(name) + size / 2 - 2
      for (const bar of bars.statesOf(name)) {
        const [from, to] = [Math.max(left, xOf(bar.from)), Math.min(xOf(Math.min(bar.to, now)), width)]
        if (to <= left || from >= width) continue
        drawState(bar.what, from, bottom - thick, to - from, thick)
      }
      bars.faultsOf(name).forEach((bar) => {
        const [from, to] = [Math.max(left, xOf(bar.from)), Math.min(xOf(Math.min(bar.to, now)), width)]
        if (to <= left || from >= width) return
        const top = yOf(name) - size / 2 + 2
        pen.fillStyle = colours.fault
        pen.globalAlpha = 0.18
        pen.fillRect(from, top, to - from, size - thick - 4)
        pen.globalAlpha = 1
        pen.fillRect(from, top, to - from, 2)
        // Where its begin is out of sight, and its mark with it.
        if (bar.from < start() && size >= 28 && to - from > 40) {
          pen.font = '11px system-ui, sans-serif'
          pen.fillText(shortened(pen, `⚡ ${bar.says}`, to - from - 6), from + 4, top + 8)
        }
      })
    }
  }

  /** @param {string} state @param {number} x @param {number} y @param {number} long @param {number} thick */
  function drawState(state, x, y, long, thick) {
    if (state === 'ended') {
      pen.strokeStyle = colours.dead
      pen.setLineDash([2, 4])
      pen.beginPath()
      pen.moveTo(x, y + thick / 2)
      pen.lineTo(x + long, y + thick / 2)
      pen.stroke()
      pen.setLineDash([])
    } else if (state === 'stopped') {
      pen.fillStyle = colours.stopped
      for (let at = 0; at < long; at += 6) pen.fillRect(x + at, y, Math.min(3, long - at), thick)
    } else if (state === 'started') {
      pen.strokeStyle = colours.up
      pen.strokeRect(x + 0.5, y + 0.5, Math.max(0, long - 1), thick - 1)
    } else {
      pen.fillStyle = colours.up
      pen.fillRect(x, y, long, thick)
    }
  }

  /** @param {number} left @param {number} size */
  function drawItems(left, size) {
    const columns = Math.ceil(width)
    // Where something is drawn already: zoomed out, most of an hour's events lie on others.
    const taken = new Uint8Array(columns * (lanes.length + 1) * LAYERS)
    /** @type {{ x: number, item: Item }[]} */
    const marks = []
    /** @type {{ x: number, item: Item, to: string }[]} */
    const arrows = []
    for (let index = firstAt(items, start() - span * 0.02); index < items.length; index += 1) {
      const item = /** @type {Item} */ (items[index])
      if (item.at > end) break
      const { event, lane, to } = item
      if (!item.shown || (lane !== undefined && !rows.has(lane))) continue
      const x = xOf(item.at)
      const row = lane === undefined ? 0 : (rows.get(lane) ?? 0) + 1
      const column = Math.min(columns - 1, Math.max(0, Math.round(x)))
      const cell = (row * LAYERS + layerOf(event)) * columns + column
      if (taken[cell]) continue
      taken[cell] = 1
      if (to !== undefined && rows.has(to)) arrows.push({ x, item, to })
      else marks.push({ x, item })
    }
    // Where arrows would be a wall, each is only a stroke at the lane that it comes from: rectangles are drawn fastest.
    const isDense = arrows.length + marks.length > (width - left) / 4
    for (const { x, item, to } of arrows) {
      const [from, tip] = [yOf(item.lane), yOf(to)]
      if (isDense && item.event.type === 'bytes') {
        pen.fillStyle = colours.message
        pen.fillRect(x - 0.5, from, 1, Math.sign(tip - from) * size * 0.4)
      } else drawArrow(x, from, tip, item.event, size)
    }
    for (const { x, item } of marks) {
      const isPlain = item.event.type === 'line' && (item.event.level ?? 'info') === 'info'
      if (isDense && isPlain) {
        pen.fillStyle = colours.info
        pen.fillRect(x - 1.5, yOf(item.lane) - 3, 3, 6)
      } else drawMark(x, yOf(item.lane), item.event, size)
    }
    drawTexts(left, size, marks)
    if (selected && selected.at >= start() && selected.at <= end) {
      pen.strokeStyle = colours.selected
      pen.lineWidth = 2
      pen.beginPath()
      pen.arc(xOf(selected.at), yOf(selected.lane), 8, 0, Math.PI * 2)
      pen.stroke()
      pen.lineWidth = 1
    }
  }

  /** What is said and done has its text where there is room. @param {number} left @param {number} size @param {{ x: number, item: Item }[]} marks */
  function drawTexts(left, size, marks) {
    /** @type {Map<string | undefined, number>} where a row's next mark is */
    const next = new Map()
    pen.font = `${size < 20 ? 10 : 12}px system-ui, sans-serif`
    pen.strokeStyle = colours.background
    pen.lineWidth = 3
    pen.lineJoin = 'round'
    for (const { x, item } of marks.toReversed()) {
      // A state's sign is narrow, and often follows at once.
      if (item.event.type === 'state') continue
      const room = (next.get(item.lane) ?? width) - x - 16
      next.set(item.lane, x)
      if (room < MIN_TEXT || x < left) continue
      const text = shortened(pen, item.label, room)
      const y = yOf(item.lane) - (size >= 28 ? 2 : 0)
      // So that it is read in front of an arrow.
      pen.strokeText(text, x + 9, y)
      pen.fillStyle = item.event.type === 'line' ? colours.text : colours.fault
      pen.fillText(text, x + 9, y)
    }
    pen.lineWidth = 1
  }

  /** @param {number} x @param {number} from @param {number} to @param {LabEvent} event @param {number} size */
  function drawArrow(x, from, to, event, size) {
    const isBytes = event.type === 'bytes'
    pen.strokeStyle = isBytes ? colours.message : event.type === 'ended' ? colours.dead : colours.muted
    pen.fillStyle = pen.strokeStyle
    pen.globalAlpha = isBytes ? 0.8 : 1
    if (!isBytes) pen.setLineDash(event.type === 'opened' ? [4, 3] : [1, 3])
    const up = to < from ? -1 : 1
    const tip = to - up * Math.min(6, size / 4)
    pen.beginPath()
    pen.moveTo(x, from)
    pen.lineTo(x, tip)
    pen.stroke()
    pen.setLineDash([])
    pen.beginPath()
    pen.arc(x, from, 2, 0, Math.PI * 2)
    pen.fill()
    if (event.type === 'ended') {
      pen.beginPath()
      pen.moveTo(x - 3, tip)
      pen.lineTo(x + 3, tip)
      pen.stroke()
    } else {
      pen.beginPath()
      pen.moveTo(x, tip + up * 3)
      pen.lineTo(x - 3, tip - up * 4)
      pen.lineTo(x + 3, tip - up * 4)
      pen.fill()
    }
    pen.globalAlpha = 1
  }

  /** A circle is said, a triangle warns, a square is an error: without their colours, too. @param {number} x @param {number} y @param {LabEvent} event @param {number} size */
  function drawMark(x, y, event, size) {
    const radius = size < 20 ? 3 : 4
    pen.beginPath()
    if (event.type === 'line') {
      const level = event.level ?? 'info'
      pen.fillStyle = colours[level === 'debug' ? 'muted' : level]
      if (level === 'error') pen.rect(x - radius, y - radius, radius * 2, radius * 2)
      else if (level === 'warning') {
        pen.moveTo(x, y - radius - 1)
        pen.lineTo(x + radius + 1, y + radius)
        pen.lineTo(x - radius - 1, y + radius)
      } else pen.arc(x, y, radius - 0.5, 0, Math.PI * 2)
      pen.fill()
      return
    }
    pen.font = `${size < 20 ? 11 : 14}px system-ui, sans-serif`
    pen.textAlign = 'center'
    pen.fillStyle =
      event.type === 'state' ? (event.state === 'ended' ? colours.dead : colours.up) : colours.fault
    pen.fillText(signOf(event), x, y)
    pen.textAlign = 'left'
    pen.font = `${size < 20 ? 10 : 12}px system-ui, sans-serif`
  }

  function drawNow() {
    const x = Math.round(xOf(now)) + 0.5
    pen.strokeStyle = colours.selected
    pen.setLineDash([3, 3])
    pen.beginPath()
    pen.moveTo(x, AXIS_HEIGHT)
    pen.lineTo(x, height())
    pen.stroke()
    pen.setLineDash([])
  }

  // The list: what the window has, in words.

  /** @param {boolean} isAsked whether it is told of what was just chosen */
  function updateList(isAsked) {
    if (signal.aborted) return
    // Who reads in it is not to lose the place, as long as the window stays where it is.
    const place = `${start()} ${end}`
    if (!isAsked && place === listedPlace && list.contains(document.activeElement)) return
    listedPlace = place
    const window = []
    let all = 0
    for (let index = firstAt(items, start()); index < items.length; index += 1) {
      const item = /** @type {Item} */ (items[index])
      if (item.at > end) break
      if (!item.shown) continue
      all += 1
      window.push(item)
      if (window.length > MAX_LISTED * 2) window.splice(0, MAX_LISTED)
    }
    const listed = window.slice(-MAX_LISTED)
    count.textContent =
      all > listed.length
        ? `The last ${listed.length} of ${all.toLocaleString('en')} entries between ${seconds(start())} and ${seconds(end)}`
        : `${all} ${all === 1 ? 'entry' : 'entries'} between ${seconds(start())} and ${seconds(end)}`
    showEntries(list, listed, selected)
    if (isFollowing) list.scrollTop = list.scrollHeight
  }

  // What a reader does.

  /** @param {PointerEvent | MouseEvent} event */
  function nearest(event) {
    const box = canvas.getBoundingClientRect()
    const [x, y] = [event.clientX - box.left, event.clientY - box.top]
    const reach = (NEAR / Math.max(1, width - labelWidth())) * span
    let best
    let distance = Infinity
    for (let index = firstAt(items, timeAt(x) - reach); index < items.length; index += 1) {
      const item = /** @type {Item} */ (items[index])
      if (item.at > timeAt(x) + reach) break
      if (!item.shown) continue
      const [from, to] = [yOf(item.lane), item.to === undefined ? yOf(item.lane) : yOf(item.to)]
      const off = y < Math.min(from, to) ? Math.min(from, to) - y : Math.max(0, y - Math.max(from, to))
      const far = Math.hypot(xOf(item.at) - x, off) + (item.to === undefined ? 0 : 3)
      if (off < rowHeight() / 2 && far < distance) [best, distance] = [item, far]
    }
    return best
  }

  /** @type {Map<number, PointerEvent>} */
  const fingers = new Map()
  let hasMoved = false

  canvas.addEventListener(
    'pointerdown',
    (event) => {
      fingers.set(event.pointerId, event)
      hasMoved = fingers.size > 1
      canvas.setPointerCapture(event.pointerId)
    },
    { signal },
  )
  canvas.addEventListener(
    'pointermove',
    (event) => {
      const before = fingers.get(event.pointerId)
      if (!before) return
      const [other] = [...fingers.values()].filter(({ pointerId }) => pointerId !== event.pointerId)
      if (other) {
        const [then, next] = [before, event].map(({ clientX }) => Math.abs(clientX - other.clientX))
        if (then && next) zoom(then / next)
      } else {
        if (!hasMoved && Math.abs(event.clientX - before.clientX) < 4) return
        hasMoved = true
        pan(((before.clientX - event.clientX) / (width - labelWidth())) * span)
      }
      fingers.set(event.pointerId, event)
    },
    { signal },
  )
  canvas.addEventListener(
    'pointerup',
    (event) => {
      if (fingers.has(event.pointerId) && !hasMoved) {
        const item = nearest(event)
        if (item) follow(false)
        select(item)
      }
      fingers.delete(event.pointerId)
    },
    { signal },
  )
  canvas.addEventListener('pointercancel', (event) => fingers.delete(event.pointerId), { signal })
  canvas.addEventListener(
    'wheel',
    (event) => {
      const isZoom = event.ctrlKey || event.metaKey
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX
      if (!isZoom && Math.abs(sideways) <= Math.abs(event.shiftKey ? 0 : event.deltaY)) return // the page scrolls
      event.preventDefault()
      const x = event.clientX - canvas.getBoundingClientRect().left
      if (isZoom) zoom(Math.exp(Math.sign(event.deltaY) * 0.2), isFollowing ? undefined : timeAt(x))
      else pan((sideways / (width - labelWidth())) * span)
    },
    { signal, passive: false },
  )

  view.addEventListener(
    'keydown',
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      const does = /** @type {Record<string, () => void>} */ ({
        ArrowLeft: () => pan(-span / 8),
        ArrowRight: () => pan(span / 8),
        PageUp: () => pan(-span),
        PageDown: () => pan(span),
        Home: () => pan(-end + span),
        End: () => follow(true),
        '+': () => zoom(0.5),
        '-': () => zoom(2),
        ' ': () => follow(!isFollowing),
      })[event.key]
      if (!does) return
      event.preventDefault()
      does()
    },
    { signal },
  )

  list.addEventListener(
    'keydown',
    (event) => {
      const buttons = [...list.querySelectorAll('button')]
      const at = buttons.findIndex((one) => one.matches(':focus'))
      const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: buttons.length - 1 }[event.key]
      if (to === undefined) return
      event.preventDefault()
      buttons[to]?.focus()
    },
    { signal },
  )
  list.addEventListener('focusin', () => follow(false), { signal })
  list.addEventListener(
    'click',
    (event) => {
      const button = event.target instanceof Element ? event.target.closest('button') : null
      const item = button ? itemOfButton.get(button) : undefined
      if (item) select(item)
    },
    { signal },
  )

  followButton.addEventListener('click', () => follow(!isFollowing), { signal })
  parts.zoomIn.addEventListener('click', () => zoom(0.5), { signal })
  parts.zoomOut.addEventListener('click', () => zoom(2), { signal })
  parts.all.addEventListener('click', showAll, { signal })
  position.addEventListener(
    'input',
    () => {
      follow(false)
      end = Math.max(Number(position.value), span * 0.1)
      redraw()
    },
    { signal },
  )
  search.addEventListener(
    'input',
    () => {
      clearTimeout(searchTimer)
      searchTimer = setTimeout(() => setFilter({ text: search.value }), SEARCH_MS)
    },
    { signal },
  )

  // The page may change its colours while it is open.
  const recolour = () => {
    colours = readColours(element)
    redraw()
  }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolour, { signal })
  const classes = new MutationObserver(recolour)
  classes.observe(document.documentElement, { attributeFilter: ['class', 'style'] })
  const sizes = new ResizeObserver(fit)
  sizes.observe(view)

  laneRows()
  fillMenu(
    kindMenu,
    'Kinds',
    Object.entries(KINDS).map(([kind, { name }]) => [kind, name]),
    (chosen) =>
      setFilter({
        types: chosen?.flatMap((kind) => [...KINDS[/** @type {keyof typeof KINDS} */ (kind)].types]),
      }),
  )
  fit()

  return {
    add,
    setNow,
    setFilter,
    follow,
    showAll,
    setLanes,
    clear() {
      items = []
      characters = 0
      forgotten = 0
      now = 0
      kept.hidden = true
      bars.clear()
      select(undefined)
      isFollowing = false
      follow(true)
    },
    destroy() {
      listening.abort()
      cancelAnimationFrame(frame)
      clearTimeout(listTimer)
      clearTimeout(searchTimer)
      classes.disconnect()
      sizes.disconnect()
      element.replaceChildren()
      element.classList.remove('timeline')
    },
  }
}

/** How long a state or a fault of a lane has lasted. */
class Bars {
  /** @type {Map<string, Bar[]>} */
  #states = new Map()
  /** @type {Map<string, Bar[]>} */
  #faults = new Map()

  /** @param {LabEvent} event */
  take(event) {
    if (event.type === 'state') {
      const what = event.state === 'continued' ? 'ready' : event.state
      this.#begin(this.#states, event.lane, { from: event.at, to: Infinity, what, says: describe(event) })
    } else if (event.type === 'done') {
      this.#fault(event.at, event.action)
    }
  }

  /** @param {number} at @param {LabAction} action */
  #fault(at, action) {
    if (action.do === 'heal-all') {
      for (const lane of this.#faults.keys()) this.#end(lane, at)
    } else if (action.do === 'heal') {
      this.#end(action.lane, at)
    } else if (action.do === 'partition') {
      action.groups.forEach((group, index) => {
        for (const lane of group) this.#lasts(lane, at, 'partition', `in group ${groupName(index)}`)
      })
    } else if (LASTING.includes(action.do) && 'lane' in action) {
      this.#lasts(action.lane, at, action.do, actionInWords(action, false))
    }
  }

  /** @param {string} lane @param {number} at @param {string} what @param {string} says */
  #lasts(lane, at, what, says) {
    for (const bar of this.#faults.get(lane) ?? []) if (bar.what === what && bar.to === Infinity) bar.to = at
    this.#push(this.#faults, lane, { from: at, to: Infinity, what, says })
  }

  /** @param {string} lane @param {number} at */
  #end(lane, at) {
    for (const bar of this.#faults.get(lane) ?? []) if (bar.to === Infinity) bar.to = at
  }

  /** @param {Map<string, Bar[]>} all @param {string} lane @param {Bar} bar */
  #begin(all, lane, bar) {
    const last = all.get(lane)?.at(-1)
    if (last) last.to = bar.from
    this.#push(all, lane, bar)
  }

  /** @param {Map<string, Bar[]>} all @param {string} lane @param {Bar} bar */
  #push(all, lane, bar) {
    const bars = all.get(lane) ?? []
    bars.push(bar)
    if (bars.length > MAX_BARS) bars.splice(0, MAX_BARS / 10)
    all.set(lane, bars)
  }

  /** @param {string} lane */
  statesOf(lane) {
    return this.#states.get(lane) ?? []
  }

  /** @param {string} lane */
  faultsOf(lane) {
    return this.#faults.get(lane) ?? []
  }

  clear() {
    this.#states.clear()
    this.#faults.clear()
  }
}

/** @param {LabEvent} event @returns {Item} */
function itemOf(event) {
  const common = { event, at: event.at, shown: true }
  switch (event.type) {
    case 'line':
      return { ...common, lane: event.lane, to: undefined, label: event.text.replace(PREFIX, '') }
    case 'state':
      return { ...common, lane: event.lane, to: undefined, label: STATES[event.state].says }
    case 'done': {
      const { action } = event
      const lane = 'lane' in action ? action.lane : undefined
      return { ...common, lane, to: undefined, label: actionInWords(action, lane === undefined) }
    }
    case 'checked':
      return { ...common, lane: undefined, to: undefined, label: describe(event) }
    case 'bytes':
      return { ...common, lane: event.from, to: event.to, label: messageTypeOf(event) }
    default:
      return { ...common, lane: event.from, to: event.to, label: event.type }
  }
}

/** @param {LabEvent} event */
function charactersOf(event) {
  // What an object takes besides its text.
  const own = 40
  if (event.type === 'bytes') return own + (event.text ?? event.base64).length
  if (event.type === 'line') return own + event.text.length
  return own
}

/** @param {LabEvent} event */
function signOf(event) {
  if (event.type === 'state') return STATES[event.state].sign
  if (event.type === 'checked') return event.kept ? '✓' : '✗'
  if (event.type !== 'done') return '•'
  return event.action.do.startsWith('heal') ? '♥' : '⚡'
}

/** What may cover what: a line covers lines. @param {LabEvent} event */
function layerOf(event) {
  if (event.type === 'line') return event.level === 'error' || event.level === 'warning' ? 1 : 0
  if (event.type === 'bytes') return 2
  return event.type === 'state' ? 4 : 3
}

/** Where the first item is that is as late as this. @param {readonly Item[]} items @param {number} at */
function firstAt(items, at) {
  let [low, high] = [0, items.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (/** @type {Item} */ (items[middle]).at < at) low = middle + 1
    else high = middle
  }
  return low
}

/** A step of 1, 2 or 5, or of minutes, that is at least so long. @param {number} least in seconds */
function niceStep(least) {
  for (const step of [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800,
  ])
    if (step >= least) return step
  return Math.ceil(least / 3600) * 3600
}

/** A time on the axis. @param {number} at @param {number} step */
function clock(at, step) {
  if (step < 1) return `${at.toFixed(Math.ceil(-Math.log10(step)))} s`
  if (at < 60) return `${Math.round(at)} s`
  const [hours, minutes, rest] = [Math.floor(at / 3600), Math.floor(at / 60) % 60, Math.round(at) % 60]
  const two = (/** @type {number} */ part) => String(part).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}

/** @param {CanvasRenderingContext2D} pen @param {string} text @param {number} room in pixels */
function shortened(pen, text, room) {
  // No font has characters narrower than 3 pixels here: what is longer is not measured.
  const most = text.slice(0, Math.max(1, Math.floor(room / 3)))
  const first = most.split(/[\r\n]/, 1)[0] ?? ''
  if (first === text && pen.measureText(text).width <= room) return text
  let [low, high] = [0, first.length]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (pen.measureText(`${first.slice(0, middle)}…`).width <= room) low = middle
    else high = middle - 1
  }
  return low === 0 ? '' : `${first.slice(0, low)}…`
}

/** The colours as the canvas takes them, whatever the page says them by. @param {HTMLElement} element */
function readColours(element) {
  const probe = document.createElement('span')
  element.append(probe)
  const entries = COLOURS.map((name) => {
    probe.style.color = `var(--timeline-${name})`
    return [name, getComputedStyle(probe).color]
  })
  probe.remove()
  return /** @type {Record<typeof COLOURS[number], string>} */ (Object.fromEntries(entries))
}
