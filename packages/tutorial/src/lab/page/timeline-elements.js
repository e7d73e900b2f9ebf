/**
 * The elements of a time line, besides what is drawn: its buttons and menus, the list of what a window has, and the entry
 * that is chosen.
 *
 * @import { Item } from './timeline.js'
 */
import { bytesOf, contentOf, describe, hexDump, prettyJson, seconds, visible } from './words.js'

/** @type {WeakMap<HTMLButtonElement, Item>} */
export const itemOfButton = new WeakMap()

/** How many time lines there have been: ids differ by it. */
let made = 0

/** @param {HTMLElement} element */
export function build(element) {
  made += 1
  element.classList.add('timeline')
  const followButton = button('Pause')
  const zoomIn = button('+', 'Zoom in')
  const zoomOut = button('−', 'Zoom out')
  const all = button('All', 'Show all of it')
  const position = make('input', { type: 'range', min: '0', ariaLabel: 'Place in time' })
  const search = make('input', { type: 'search', placeholder: 'Search', ariaLabel: 'Search in the events' })
  const laneMenu = make('details', { className: 'timeline-menu' })
  const kindMenu = make('details', { className: 'timeline-menu' })
  const tools = make('div', { className: 'timeline-tools' })
  tools.append(followButton, zoomOut, zoomIn, all, position, search, laneMenu, kindMenu)

  const canvas = make('canvas')
  canvas.setAttribute('aria-hidden', 'true')
  const view = make('div', { className: 'timeline-view', tabIndex: 0 })
  view.setAttribute('role', 'region')
  view.ariaLabel =
    'Time line. Arrow keys move it, plus and minus zoom, space stops it; what it shows is in the list'
  view.append(canvas)
  const kept = make('p', { className: 'timeline-kept', hidden: true })

  const listPart = make('section', { className: 'timeline-list' })
  const heading = make('h2', { id: `timeline-${made}-list`, textContent: 'In this window' })
  listPart.setAttribute('aria-labelledby', heading.id)
  const count = make('p', { className: 'timeline-count' })
  const list = make('ol')
  listPart.append(heading, count, list)

  const details = make('section', { className: 'timeline-details' })
  details.setAttribute('aria-live', 'polite')
  details.ariaLabel = 'The chosen entry'
  showDetails(details, undefined)

  const below = make('div', { className: 'timeline-below' })
  below.append(listPart, details)
  element.replaceChildren(tools, view, kept, below)
  return {
    canvas,
    view,
    list,
    count,
    details,
    position,
    followButton,
    zoomIn,
    zoomOut,
    all,
    search,
    laneMenu,
    kindMenu,
    kept,
  }
}

/**
 * A menu of what is to be shown. All is shown while all or nothing is ticked.
 *
 * @param {HTMLDetailsElement} menu
 * @param {string} name
 * @param {[value: string, name: string][]} choices
 * @param {(chosen: string[] | undefined) => void} changed
 * @param {readonly string[]} [chosen] what is shown already; undefined: all
 */
export function fillMenu(menu, name, choices, changed, chosen) {
  const summary = make('summary')
  const box = make('fieldset')
  box.append(make('legend', { textContent: `${name} that are shown` }))
  const boxes = choices.map(([value, label]) => {
    const input = make('input', { type: 'checkbox', value, checked: chosen?.includes(value) ?? true })
    const line = make('label')
    line.append(input, ` ${label}`)
    box.append(line)
    return input
  })
  const summarize = () => {
    const checked = boxes.filter(({ checked }) => checked).map(({ value }) => value)
    const isAll = checked.length === 0 || checked.length === boxes.length
    summary.textContent = `${name}: ${isAll ? 'all' : `${checked.length} of ${boxes.length}`}`
    return isAll ? undefined : checked
  }
  const tell = () => changed(summarize())
  summarize()
  box.addEventListener('change', tell)
  if (choices.length > 4) {
    const none = button('None')
    none.addEventListener('click', () => {
      for (const input of boxes) input.checked = false
      tell()
    })
    box.append(none)
  }
  menu.replaceChildren(summary, box)
}

/**
 * Shows entries in a list, with as few changes as there can be.
 *
 * @param {HTMLOListElement} list
 * @param {readonly Item[]} items
 * @param {Item | undefined} selected
 */
export function showEntries(list, items, selected) {
  /** @type {Map<Item, Element>} */
  const there = new Map()
  for (const entry of list.children) {
    const item = itemOfButton.get(/** @type {HTMLButtonElement} */ (entry.firstElementChild))
    if (item) there.set(item, entry)
  }
  const wanted = new Set(items)
  for (const [item, entry] of there) if (!wanted.has(item)) entry.remove()
  let next = list.firstElementChild
  for (const item of items) {
    const entry = there.get(item) ?? entryOf(item)
    if (entry === next) next = next.nextElementSibling
    else list.insertBefore(entry, next)
    entry.firstElementChild?.setAttribute('aria-pressed', String(item === selected))
  }
}

/** @param {Item} item */
function entryOf(item) {
  const { event, lane } = item
  const entry = make('li')
  const choose = button('')
  choose.className = `timeline-entry of-${event.type}${event.type === 'line' ? ` level-${event.level ?? 'info'}` : ''}`
  const level = event.type === 'line' && event.level && event.level !== 'info' ? `${event.level}: ` : ''
  choose.append(
    make('span', { className: 'timeline-when', textContent: seconds(item.at) }),
    ' ',
    make('b', { textContent: lane ?? 'all' }),
    ' ',
    make('span', { className: 'timeline-what', textContent: `${level}${describe(event).slice(0, 300)}` }),
  )
  itemOfButton.set(choose, item)
  entry.append(choose)
  return entry
}

/** Shows all that an entry has. @param {HTMLElement} details @param {Item | undefined} item */
export function showDetails(details, item) {
  if (!item) {
    details.replaceChildren(
      make('p', {
        className: 'timeline-hint',
        textContent: 'Choose an entry, and all that it has stands here.',
      }),
    )
    return
  }
  const { event, lane } = item
  const heading = make('h2', { textContent: `${lane ?? 'All'}, ${item.at.toFixed(3)} s` })
  const text = make('p', { textContent: event.type === 'line' ? '' : describe(event) })
  if (event.type === 'line') text.append(`${event.level ?? 'info'} line`)
  details.replaceChildren(heading, text)
  if (event.type === 'line') {
    details.append(content(visible(event.text), 'Text'))
  } else if (event.type === 'bytes') {
    const pretty = event.text === undefined ? undefined : prettyJson(event.text)
    const shown = content(pretty ?? visible(contentOf(event)), 'Content')
    const asBytes = button('Byte by byte')
    asBytes.setAttribute('aria-pressed', 'false')
    asBytes.addEventListener('click', () => {
      const isOn = asBytes.getAttribute('aria-pressed') !== 'true'
      asBytes.setAttribute('aria-pressed', String(isOn))
      const perLine = details.clientWidth < 460 ? 8 : 16
      shown.textContent = isOn ? hexDump(bytesOf(event), perLine) : (pretty ?? visible(contentOf(event)))
    })
    details.append(shown, asBytes)
  }
}

/** @param {string} text @param {string} name */
function content(text, name) {
  const shown = make('pre', { textContent: text, tabIndex: 0 })
  shown.setAttribute('role', 'region')
  shown.ariaLabel = name
  return shown
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} [properties]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function make(tag, properties = {}) {
  return Object.assign(document.createElement(tag), properties)
}

/** @param {string} text @param {string} [name] what it is called, where its text is a sign */
function button(text, name) {
  const made = make('button', { type: 'button', textContent: text })
  if (name !== undefined) made.ariaLabel = name
  return made
}
