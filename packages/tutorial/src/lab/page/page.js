/**
 * Runs in the browser: shows what a cluster does on a time line, as the lab tells it, and does to it what a reader asks for.
 *
 * @import { Lane, LabAction, LabEvent } from '../events.ts'
 */
import { createTimeline } from './timeline.js'
import { actionInWords, describe } from './words.js'

/** How often the time of the page goes on by itself, in ms. */
const TICK_MS = 50
/** How often who hears the page is told what has happened, in ms. */
const TELL_MS = 1_000
/** Something comes each second. After that time the lab is out of reach, in ms. */
const SILENCE_MS = 10_000

/**
 * @typedef {object} Told what the lab says first
 * @property {string} chapter
 * @property {readonly Lane[]} lanes
 * @property {readonly string[]} [commands] what can be run
 * @property {string} [token] goes with each action; where it is missing, nothing can be done
 */

/** @template {HTMLElement} Kind @param {string} id @param {new () => Kind} kind */
function part(id, kind) {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new Error(`The page has no #${id}.`)
  return found
}

const nodes = part('nodes', HTMLFieldSetElement)
const happened = part('happened', HTMLParagraphElement)
const refused = part('refused', HTMLParagraphElement)
const connection = part('connection', HTMLParagraphElement)
const keys = part('keys', HTMLDialogElement)
const useKeys = part('use-keys', HTMLInputElement)
const partition = part('partition', HTMLDialogElement)
const groups = part('groups', HTMLDivElement)

/** @type {Told} */
const { chapter, lanes, commands = [], token } = await (await fetch('lab')).json()
document.title = `${chapter}: ${token ? 'lab' : 'recording of a lab'}`
part('title', HTMLHeadingElement).textContent = document.title

const timeline = createTimeline(part('timeline', HTMLDivElement), { lanes })

// What can be done.

/** @type {Lane | undefined} */
let chosen = lanes.find(({ connectsTo }) => connectsTo !== undefined) ?? lanes[0]
const listener = lanes.find(({ connectsTo }) => connectsTo === undefined) ?? lanes[0]

/**
 * @typedef {object} Choice something that can be done
 * @property {'of-node' | 'of-link' | 'of-all'} to
 * @property {string} name
 * @property {string} key
 * @property {(numbers: number[]) => LabAction | undefined} action
 * @property {[label: string, value: number, min: number, max: number][]} [numbers] what it takes
 */

/** An action on the chosen node. @param {'kill' | 'stop' | 'continue' | 'restart' | 'cut' | 'heal'} what */
const simply = (what) => () => chosen && { do: what, lane: chosen.name }
/** @param {'toServer' | 'toClient' | 'both'} direction @returns {() => LabAction | undefined} */
const blackHole = (direction) => () => chosen && { do: 'black-hole', lane: chosen.name, direction }

/** @type {Choice[]} */
const CHOICES = [
  { to: 'of-node', name: 'Kill', key: 'k', action: simply('kill') },
  { to: 'of-node', name: 'Stop', key: 's', action: simply('stop') },
  { to: 'of-node', name: 'Continue', key: 'c', action: simply('continue') },
  { to: 'of-node', name: 'Restart', key: 'r', action: simply('restart') },
  {
    to: 'of-node',
    name: 'Skew its clock',
    key: 'w',
    numbers: [['seconds', -3600, -1e9, 1e9]],
    action: ([by = 0]) => chosen && { do: 'skew', lane: chosen.name, seconds: by },
  },
  { to: 'of-link', name: 'Cut', key: 'x', action: simply('cut') },
  { to: 'of-link', name: 'Black hole both ways', key: 'b', action: blackHole('both') },
  { to: 'of-link', name: 'Black hole for what it sends', key: 'o', action: blackHole('toServer') },
  { to: 'of-link', name: 'Black hole for what it is sent', key: 'i', action: blackHole('toClient') },
  {
    to: 'of-link',
    name: 'Delay',
    key: 'd',
    numbers: [
      ['ms', 500, 0, 600_000],
      ['± ms', 0, 0, 600_000],
    ],
    action: ([delayMs = 0, jitterMs = 0]) =>
      chosen && { do: 'delay', lane: chosen.name, delayMs, ...(jitterMs > 0 && { jitterMs }) },
  },
  {
    to: 'of-link',
    name: 'Trickle',
    key: 't',
    numbers: [['bytes a second', 20, 1, 1e9]],
    action: ([bytesPerSecond = 1]) => chosen && { do: 'trickle', lane: chosen.name, bytesPerSecond },
  },
  { to: 'of-link', name: 'Heal', key: 'h', action: simply('heal') },
  {
    to: 'of-all',
    name: 'Partition …',
    key: 'g',
    action: () => {
      partition.showModal()
      return undefined
    },
  },
  {
    to: 'of-all',
    name: `Restart ${listener?.name ?? 'the first'}`,
    key: 'l',
    action: () => listener && { do: 'restart', lane: listener.name },
  },
  { to: 'of-all', name: 'Heal everything', key: 'H', action: () => ({ do: 'heal-all' }) },
]

/** Keys that do nothing to the cluster. @type {Record<string, { name: string, does: () => void }>} */
const OTHER_KEYS = {
  n: { name: 'Next node', does: () => choose(1) },
  p: { name: 'Node before', does: () => choose(-1) },
  '/': { name: 'Search', does: focusSearch },
  '?': { name: 'These keys', does: () => keys.showModal() },
}

/** @type {Map<string, () => void>} */
const byKey = new Map()
/** @type {HTMLButtonElement[]} */
const linkButtons = []

/** @param {LabAction} action */
async function send(action) {
  refused.textContent = ''
  try {
    const answer = await fetch('do', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Lab-Token': token ?? '' },
      body: JSON.stringify(action),
    })
    if (!answer.ok) refused.textContent = (await answer.text()).trim()
  } catch {
    refused.textContent = 'The lab is out of reach. Is it still running in its terminal?'
  }
}

function showChoices() {
  for (const { to, name, key, numbers = [], action } of CHOICES) {
    const button = document.createElement('button')
    button.type = 'button'
    const sign = document.createElement('kbd')
    sign.textContent = key
    button.append(`${name} `, sign)
    const inputs = numbers.map(([label, value, min, max]) => {
      const input = Object.assign(document.createElement('input'), {
        type: 'number',
        required: true,
        value: String(value),
        min: String(min),
        max: String(max),
        ariaLabel: `${name}: ${label}`,
      })
      return { label, input }
    })
    const doIt = () => {
      if (button.disabled) {
        refused.textContent = `${chosen?.name} has no link of its own: choose a node that connects.`
        return
      }
      if (!inputs.every(({ input }) => input.reportValidity())) return
      const wanted = action(inputs.map(({ input }) => input.valueAsNumber))
      if (wanted) void send(wanted)
    }
    button.addEventListener('click', doIt)
    byKey.set(key, doIt)
    if (to === 'of-link') linkButtons.push(button)
    const place = part(to, HTMLFieldSetElement)
    if (inputs.length === 0) {
      place.append(button)
      continue
    }
    const box = document.createElement('span')
    box.className = 'with-numbers'
    box.append(button)
    for (const { label, input } of inputs) {
      const unit = Object.assign(document.createElement('label'), { className: 'unit' })
      unit.append(input, ` ${label}`)
      box.append(unit)
    }
    place.append(box)
  }
}

function showCommands() {
  const place = part('of-command', HTMLFieldSetElement)
  place.hidden = commands.length === 0
  const names = Object.assign(document.createElement('select'), { ariaLabel: 'Command' })
  names.append(...commands.map((name) => new Option(name)))
  const words = Object.assign(document.createElement('input'), {
    className: 'words',
    ariaLabel: 'Its arguments',
  })
  const button = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Run' })
  const run = () => void send({ do: 'run', lane: names.value, args: words.value })
  button.addEventListener('click', run)
  words.addEventListener('keydown', ({ key }) => key === 'Enter' && run())
  place.append(names, words, button)
}

/** @type {Map<string, { input: HTMLInputElement, state: HTMLElement }>} */
const nodeParts = new Map()

function showNodes() {
  for (const lane of lanes) {
    const label = document.createElement('label')
    const input = Object.assign(document.createElement('input'), { type: 'radio', name: 'node' })
    input.value = lane.name
    input.checked = lane === chosen
    input.addEventListener('change', () => choseNode(lane))
    const state = document.createElement('span')
    label.append(input, lane.name, ' ', state)
    nodes.append(label)
    nodeParts.set(lane.name, { input, state })

    const group = Object.assign(document.createElement('select'), { name: lane.name })
    for (const [value, name] of [
      ['', 'reaches all'],
      ['A', 'group A'],
      ['B', 'group B'],
    ])
      group.append(Object.assign(document.createElement('option'), { value, textContent: name }))
    const line = document.createElement('label')
    line.append(lane.name, group)
    groups.append(line)
  }
}

/** @param {Lane} lane */
function choseNode(lane) {
  chosen = lane
  for (const button of linkButtons) button.disabled = lane.connectsTo === undefined
}

/** @param {1 | -1} step */
function choose(step) {
  const at = chosen ? lanes.indexOf(chosen) : 0
  const next = lanes[(at + step + lanes.length) % lanes.length]
  const input = next && nodeParts.get(next.name)?.input
  if (!next || !input) return
  input.checked = true
  input.focus()
  choseNode(next)
}

function focusSearch() {
  const search = document.querySelector('#timeline input[type=search]')
  if (search instanceof HTMLElement) search.focus()
}

partition.addEventListener('close', () => {
  if (partition.returnValue !== 'partition') return
  partition.returnValue = ''
  const of = (/** @type {string} */ group) =>
    [...groups.querySelectorAll('select')].filter(({ value }) => value === group).map(({ name }) => name)
  const asked = ['A', 'B'].map(of).filter((group) => group.length > 0)
  if (asked.length === 0)
    refused.textContent = 'Partition: no node is in a group. Choose some for A and for B.'
  else void send({ do: 'partition', groups: asked })
})

function showKeys() {
  const rows = [
    ...(token ? CHOICES.map(({ key, name }) => [key, name]) : []),
    ...Object.entries(OTHER_KEYS)
      .filter(([key]) => token || !'np'.includes(key))
      .map(([key, { name }]) => [key, name]),
  ]
  const body = keys.querySelector('tbody')
  for (const [key = '', name = ''] of rows) {
    const row = document.createElement('tr')
    const sign = document.createElement('kbd')
    sign.textContent = key
    row.insertCell().append(sign)
    row.insertCell().textContent = name.replace(' …', '')
    body?.append(row)
  }
  const show = part('show-keys', HTMLButtonElement)
  show.hidden = false
  show.addEventListener('click', () => keys.showModal())
}

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return
  const isTyping =
    event.target instanceof HTMLTextAreaElement ||
    event.target instanceof HTMLSelectElement ||
    (event.target instanceof HTMLInputElement && !/^(radio|checkbox|range)$/.test(event.target.type))
  if (isTyping || !useKeys.checked) return
  const does = (token ? byKey.get(event.key) : undefined) ?? OTHER_KEYS[event.key]?.does
  if (!does) return
  event.preventDefault()
  does()
})

if (token) {
  part('actions', HTMLElement).hidden = false
  showChoices()
  showCommands()
  showNodes()
  if (chosen) choseNode(chosen)
}
showKeys()

// What happens.

/** @type {string[]} */
let news = []
/** @type {ReturnType<typeof setTimeout> | undefined} */
let telling

/** @param {readonly LabEvent[]} events */
function take(events) {
  timeline.add(events)
  for (const event of events) {
    if (event.type === 'state') {
      const shown = nodeParts.get(event.lane)?.state
      if (shown) shown.textContent = event.state
    }
    if (event.type === 'done') news.push(actionInWords(event.action))
    if (event.type === 'checked') news.push(describe(event))
    if (event.type === 'state' && event.state === 'ended') news.push(`${event.lane} ${describe(event)}`)
  }
  if (telling !== undefined) return
  telling = setTimeout(() => {
    telling = undefined
    // Only the last: who wants all has the list.
    if (news.length > 0) happened.textContent = sentence(news.slice(-3).join('; '))
    news = []
  }, TELL_MS)
}

/** @param {string} text */
function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

/** The lab's time, and when it was told. */
let told = { seconds: 0, at: 0 }
let isThere = false

const source = new EventSource('events')
source.addEventListener('begin', () => {
  // All that there has been comes again.
  timeline.clear()
  connection.textContent = ''
  isThere = true
})
source.addEventListener('message', ({ data }) => {
  /** @type {{ now: number, events?: LabEvent[] }} */
  const { now, events } = JSON.parse(data)
  told = { seconds: now, at: performance.now() }
  if (events) take(events)
})
source.addEventListener('error', lost)

function lost() {
  isThere = false
  connection.textContent = 'The lab has ended, or is out of reach: this is what it has told.'
}

setInterval(() => {
  const silent = performance.now() - told.at
  if (isThere && told.at > 0 && silent > SILENCE_MS) lost()
  else if (isThere) timeline.setNow(told.seconds + Math.min(silent, 1_500) / 1_000)
}, TICK_MS)
