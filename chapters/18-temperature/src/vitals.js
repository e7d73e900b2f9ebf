/**
 * Runs in the browser: draws the vitals as charts, lets them go on as nodes send more, and makes a table of one when it is
 * asked for. What draws is uPlot, which is here already.
 */
const { uPlot } = window

/** Something comes every 15 s, if only that nothing has changed. After twice that time nobody is there, in ms. */
const SILENCE_MS = 35_000

/** After how long it is tried again, in ms. */
const AGAIN_MS = 5_000

/** How often is looked which chart is out of date, in ms. */
const LOOK_MS = 10_000

/** The most points that a line has. */
const MOST_POINTS = 500

/** Of how many nodes the names stand below a chart, and the numbers in a table. */
const MOST_NAMES = 10

const HEIGHT = 240
const DAY = 86_400
const KINDS = ['mean', 'min', 'max']

const { span, node, seconds, ...page } = document.getElementById('vitals').dataset
const line = document.getElementById('line')

const textOf = (value) => value?.toLocaleString('en', { maximumSignificantDigits: 4 }) ?? ''
const timeOf = (time) => new Date(time * 1000).toLocaleString('sv')

class Chart {
  constructor(section) {
    this.section = section
    this.vital = section.dataset.vital
    this.place = section.querySelector('.chart')
    this.details = section.querySelector('details')
    this.details.addEventListener('toggle', () => this.showTable())
    this.place.addEventListener('keydown', (event) => this.move(event))
    new ResizeObserver(() => this.plot?.setSize(this.size)).observe(this.place)
  }

  async load() {
    const answer = await fetch(`/api/vitals?${new URLSearchParams({ vital: this.vital, span, node })}`)
    if (!answer.ok) throw new Error(await answer.text())
    this.history = await answer.json()
    this.loaded = performance.now()
    for (const line of this.history.lines)
      for (const kind of KINDS) line[kind] = line[kind]?.map((value) => value && this.inUnit(value))
    this.draw()
    this.showTable()
  }

  /** Takes what a node has just sent. Returns whether that is to be seen. */
  take({ node: id, name, time, values }) {
    if (!this.history || !time || values[this.vital] === undefined || (node && node !== id)) return false
    const { times, step, lines } = this.history
    const at = Date.parse(time) / 1000
    const index = Math.floor((at - times[0]) / step)
    if (index < 0 || index > times.length + MOST_POINTS) return false
    let own = lines.find((line) => line.node === id)
    if (!own) {
      own = { node: id, name }
      for (const kind of node ? KINDS : ['mean']) own[kind] = times.map(() => null)
      lines.push(own)
    }
    const all = [times, ...this.data.slice(1)]
    while (times.length <= index)
      for (const each of all) each.push(each === times ? times.at(-1) + step : null)
    const value = this.inUnit(values[this.vital])
    // Nobody sends to the second: a point that was stepped over is no gap.
    const isNext = own.mean[index - 1] === null && !(at - own.at > 1.5 * step)
    for (const each of KINDS.map((kind) => own[kind]).filter(Boolean)) {
      if (isNext && index > 1) each[index - 1] = each[index - 2]
      each[index] = value
    }
    own.at = at
    const tooMany = times.length - Math.min(MOST_POINTS, Math.ceil(seconds / step) + 1)
    if (tooMany > 0) for (const each of all) each.splice(0, tooMany)
    return true
  }

  inUnit(value) {
    return value / this.history.shown.divisor
  }

  get size() {
    return { width: this.place.clientWidth, height: HEIGHT }
  }

  /** As uPlot has it: the times, and a series for each line. Of one node there are the least and greatest, too. */
  get data() {
    const { times, lines } = this.history
    return [times, ...lines.flatMap((line) => KINDS.map((kind) => line[kind]).filter(Boolean))]
  }

  /** Shows what has come, at the right end, which is now by the server's clock. */
  update() {
    if (this.plot?.series.length !== this.data.length) this.draw()
    else this.plot.setData(this.data)
  }

  draw() {
    const { label, shown, lines } = this.history
    this.section.querySelector('h2').textContent = shown.unit ? `${label}, ${shown.unit}` : label
    this.place.tabIndex = 0
    this.place.role = 'application'
    this.place.ariaRoleDescription = 'chart'
    this.place.ariaLabel = `${label}. Left and right go through time, up and down through the nodes.`
    this.line = node ? 0 : undefined
    this.plot?.destroy()
    this.plot = new uPlot(this.options(), this.data, this.place)
    this.say(lines.length === 0 ? 'Nothing was measured in this time.' : '')
  }

  options() {
    const { lines, shown } = this.history
    const { color: stroke, borderTopColor, ...style } = getComputedStyle(this.place)
    const axis = { stroke, grid: { stroke: borderTopColor, width: 1 }, ticks: { show: false } }
    const lightness = getComputedStyle(this.place).getPropertyValue('--lightness')
    // An angle after which hues come near each other last.
    const colour = (index, alpha = 1) => `oklch(${lightness} 0.15 ${20 + index * 137.5} / ${alpha})`
    const series = lines.flatMap(({ name, min }, index) => {
      const own = {
        label: name,
        stroke: colour(index),
        width: 1.5,
        value: (_, value) => textOf(value),
        points: { fill: colour(index), size: 4, filter: lonely },
      }
      const edge = { stroke: 'transparent', points: { show: false } }
      return min ? [own, edge, edge] : [own]
    })
    return {
      ...this.size,
      series: [{ value: (_, time) => (time === null ? '' : timeOf(time)) }, ...series],
      bands: node ? [{ series: [3, 2], fill: colour(0, 0.25) }] : [],
      scales: {
        x: { range: () => [this.now - seconds, this.now] },
        y: {
          range: (_, min, max) =>
            shown.unit === '%'
              ? [Math.min(0, min), Math.max(100, max)]
              : uPlot.rangeNum(Math.min(0, min), max ?? 1, 0.1, true),
        },
      },
      axes: [
        { ...axis, values: (_, times, _axis, _space, step) => times.map((time) => tick(time, step)) },
        { ...axis, values: (_, values) => values.map(textOf), size: 56 },
      ],
      legend: { show: !node && lines.length <= MOST_NAMES },
      cursor: { y: false, drag: { setScale: false, x: false }, focus: { prox: node ? -1 : 20 } },
      focus: { alpha: 0.2 },
      hooks: {
        setSeries: [(_, index) => (this.line = index === null ? undefined : index - 1)],
        setCursor: [({ cursor }) => this.tell(cursor.idx)],
      },
    }
  }

  get now() {
    return this.history.to + (performance.now() - this.loaded) / 1000
  }

  /** Says what stands at the cursor. */
  tell(index) {
    const { times, lines, shown } = this.history
    if (index == null) return this.say('')
    const values = lines.map(({ mean }) => mean[index]).filter((value) => value != null)
    const { name, mean, min, max } = lines[this.line] ?? {}
    const range = (low, high) => `${textOf(low)} to ${textOf(high)} ${shown.unit}`
    let text =
      values.length === 0
        ? 'nothing'
        : `${values.length} nodes, ${range(Math.min(...values), Math.max(...values))}`
    if (mean)
      text = mean[index] == null ? `${name}, nothing` : `${name}, ${textOf(mean[index])} ${shown.unit}`
    if (min && mean[index] != null) text += `, between ${range(min[index], max[index])}`
    this.say(`${timeOf(times[index])}: ${text}`)
  }

  say(text) {
    this.section.querySelector('.readout').textContent = text
  }

  /** The arrow keys move the cursor, and choose a line. */
  move(event) {
    const { times, lines } = this.history
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      PageUp: -20,
      PageDown: 20,
      Home: -MOST_POINTS,
      End: MOST_POINTS,
    }[event.key]
    const lower = { ArrowUp: -1, ArrowDown: 1 }[event.key]
    if ((!steps && !lower) || lines.length === 0) return
    event.preventDefault()
    const from = this.plot.cursor.idx ?? times.length
    const index = Math.max(0, Math.min(times.length - 1, from + (steps ?? 0)))
    const chosen = this.line === undefined ? 0 : (this.line + (lower ?? 0) + lines.length) % lines.length
    const value = lines[chosen].mean[index]
    const left = Math.max(0, this.plot.valToPos(times[index], 'x'))
    this.plot.setCursor({ left, top: value == null ? 0 : this.plot.valToPos(value, 'y') })
    if (!node) this.plot.setSeries(chosen + 1, { focus: true })
    this.tell(this.plot.cursor.idx)
  }

  /** The newest comes first. */
  showTable() {
    if (!this.details.open || !this.history) return
    const { times, lines } = this.history
    const shown = lines.slice(0, MOST_NAMES)
    const rows = times.map((time, index) => [timeOf(time), ...shown.map(({ mean }) => textOf(mean[index]))])
    const table = document.createElement('table')
    const add = (part, cells, scope) => {
      const row = part.insertRow()
      for (const [index, text] of cells.entries()) {
        const cell = document.createElement(scope === 'col' || index === 0 ? 'th' : 'td')
        if (cell.localName === 'th') cell.scope = scope
        cell.textContent = text
        row.append(cell)
      }
    }
    add(table.createTHead(), ['Time', ...shown.map(({ name }) => name)], 'col')
    const body = table.createTBody()
    for (const row of rows.reverse()) add(body, row, 'row')
    this.details.querySelector('.wide').replaceChildren(table)
  }
}

/** The points that have no neighbours: they are no part of a line. */
function lonely(plot, series, isShown) {
  const values = plot.data[series]
  const alone = (value, index) => value != null && values[index - 1] == null && values[index + 1] == null
  return isShown ? null : values.flatMap((value, index) => (alone(value, index) ? [index] : []))
}

/** A time below the chart: of the day, at midnight the date, and in a year the month. */
function tick(time, step) {
  const [date, hour] = timeOf(time).split(' ')
  if (step >= 28 * DAY) return date.slice(0, 7)
  return step >= DAY || hour === '00:00:00' ? date.slice(5) : hour.slice(0, 5)
}

const charts = [...document.querySelectorAll('[data-vital]')].map((section) => new Chart(section))
let { version } = page
let source
let timer
let again
let heard = new Date()
let isLost = false

async function load(which = charts) {
  clearTimeout(again)
  try {
    await Promise.all(which.map((chart) => chart.load()))
    if (!isLost) line.textContent = ''
  } catch ({ message }) {
    line.textContent ||= message
    again = setTimeout(() => source && !isLost && load(), AGAIN_MS)
  }
}

function open() {
  if (source) return
  source = new EventSource(`/vitals/events?since=${version}`)
  for (const type of ['open', 'beat', 'message']) source.addEventListener(type, alive)
  source.addEventListener('message', ({ lastEventId, data }) => {
    version = lastEventId
    const rows = Object.values(JSON.parse(data).rows)
    if (span !== 'hour') return
    for (const chart of charts) if (rows.filter((row) => chart.take(row)).length > 0) chart.update()
  })
  source.addEventListener('error', lost)
  wait(SILENCE_MS)
  load() // with what has come while nobody looked
}

function close() {
  clearTimeout(timer)
  source?.close()
  source = undefined
}

function alive() {
  heard = new Date()
  wait(SILENCE_MS)
  if (!isLost) return
  isLost = false
  load()
}

function lost() {
  isLost = true
  const then = heard.toLocaleTimeString('sv')
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

/** An hour goes on by what comes. Of a longer time is asked when there may be another point. */
function look() {
  if (!source || isLost) return
  const there = charts.filter((chart) => chart.history)
  if (span === 'hour') for (const chart of there) chart.update()
  else load(there.filter(({ loaded, history }) => performance.now() - loaded > history.step * 1000))
}

setInterval(look, LOOK_MS)
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const chart of charts) if (chart.history) chart.draw()
})
document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()))
addEventListener('pagehide', close)
addEventListener('pageshow', () => document.hidden || open())
if (!document.hidden) open()
