/**
 * Runs in the browser: draws the vitals as charts, which go on as nodes send more. What draws is uPlot, which is loaded
 * before.
 */
import { follow } from './follow.js'

const { uPlot } = window

/** After how long the primary is asked again, in ms. */
const AGAIN_MS = 5_000

/** How often is looked what is to be drawn again, and how long a chart stands still for which nothing comes, in ms. */
const LOOK_MS = 1_000
const STILL_MS = 10_000

/** The most points that a line has, and the most lines that have their names below the chart. */
const MOST_POINTS = 500
const MOST_NAMES = 10

const HEIGHT = 220
const DAY = 86_400

const { span, node, seconds, zone, version } = document.getElementById('vitals').dataset

const textOf = (value) => value?.toLocaleString('en', { maximumSignificantDigits: 4 }) ?? ''
const timeOf = (time) => new Date(time * 1000).toLocaleString('sv', { timeZone: zone })

/** What is drawn of a line: of one node there are the least and greatest values, too. */
const valuesOf = ({ mean, min, max }) => (min ? [mean, min, max] : [mean])

class Chart {
  constructor(section) {
    this.vital = section.dataset.vital
    this.part = (selector) => section.querySelector(selector)
    this.place = this.part('.chart')
    this.place.addEventListener('keydown', (event) => this.move(event))
    this.part('details').addEventListener('toggle', () => this.showTable())
    new ResizeObserver(() => {
      if (this.plot && this.plot.width !== this.width)
        this.plot.setSize({ width: this.width, height: HEIGHT })
    }).observe(this.place)
  }

  async load() {
    this.askedAt = performance.now()
    const answer = await fetch(`/api/vitals?${new URLSearchParams({ vital: this.vital, span, node })}`)
    if (!answer.ok) throw new Error(await answer.text())
    this.history = await answer.json()
    this.loadedAt = performance.now()
    const { lines, shown } = this.history
    for (const values of lines.flatMap(valuesOf))
      for (const [index, value] of values.entries()) if (value !== null) values[index] = value / shown.divisor
    this.draw()
  }

  /** Takes what a node has just sent, for {@link update} to show. */
  take({ node: id, name, time, values: { [this.vital]: value } }) {
    if (!this.plot || span !== 'hour' || !time || value === undefined || (node && node !== id)) return
    const { times, step, lines, shown } = this.history
    const at = Date.parse(time) / 1000
    const index = Math.floor((at - times[0]) / step)
    if (index < 0 || index > times.length + MOST_POINTS) return
    let own = lines.find((line) => line.node === id)
    if (!own) {
      const none = () => times.map(() => null)
      own = { node: id, name, mean: none(), ...(node && { min: none(), max: none() }) }
      lines.push(own)
    }
    const all = lines.flatMap(valuesOf)
    for (; times.length <= index; times.push(times.at(-1) + step)) for (const values of all) values.push(null)
    // Nobody sends to the second: a point that was stepped over is no gap.
    const isSteppedOver = index > 1 && own.mean[index - 1] === null && !(at - own.at > 1.5 * step)
    for (const values of valuesOf(own)) {
      if (isSteppedOver) values[index - 1] = values[index - 2]
      values[index] = value / shown.divisor
    }
    own.at = at
    const tooMany = times.length - Math.min(MOST_POINTS, Math.ceil(seconds / step) + 1)
    if (tooMany > 0) for (const values of [times, ...all]) values.splice(0, tooMany)
    this.drawnAt = Number.NEGATIVE_INFINITY
  }

  /** Now, as the server has it. */
  get now() {
    return this.history.to + (performance.now() - this.loadedAt) / 1000
  }

  get width() {
    return this.place.clientWidth
  }

  /** What uPlot draws. */
  get data() {
    return [this.history.times, ...this.history.lines.flatMap(valuesOf)]
  }

  update() {
    this.drawnAt = performance.now()
    if (this.plot.series.length === this.data.length) this.plot.setData(this.data)
    else this.draw()
  }

  draw() {
    const { label, shown } = this.history
    this.drawnAt = performance.now()
    this.part('h2').textContent = shown.unit ? `${label}, ${shown.unit}` : label
    this.line = node ? 0 : undefined
    this.plot?.destroy()
    this.plot = new uPlot(this.options(), this.data, this.place)
    this.tell()
  }

  options() {
    const { lines, shown } = this.history
    const style = getComputedStyle(this.place)
    const lightness = style.getPropertyValue('--lightness')
    // By this angle hues come near each other last.
    const colour = (index, alpha = 1) => `oklch(${lightness} 0.15 ${20 + index * 137.5} / ${alpha})`
    const series = lines.flatMap(({ name, min }, index) => {
      const points = { fill: colour(index), size: 4, filter: lonely }
      const own = {
        label: name,
        stroke: colour(index),
        width: 1.5,
        value: (_, value) => textOf(value),
        points,
      }
      const edge = { stroke: 'transparent', points: { show: false } }
      return min ? [own, edge, edge] : [own]
    })
    const range = (_, min, max) =>
      shown.unit === '%'
        ? [Math.min(0, min), Math.max(100, max)]
        : uPlot.rangeNum(Math.min(0, min), max ?? 1, 0.1, true)
    const axis = {
      stroke: style.color,
      grid: { stroke: style.borderTopColor, width: 1 },
      ticks: { show: false },
    }
    return {
      width: this.width,
      height: HEIGHT,
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), zone),
      series: [{}, ...series],
      bands: node ? [{ series: [3, 2], fill: colour(0, 0.25) }] : [],
      scales: { x: { range: () => [this.now - seconds, this.now] }, y: { range } },
      axes: [
        {
          ...axis,
          size: 32,
          values: (_, times, _axis, _space, step) => times.map((time) => tick(time, step)),
        },
        { ...axis, size: 56, values: (_, values) => values.map(textOf) },
      ],
      legend: { show: !node && lines.length <= MOST_NAMES },
      cursor: { y: false, drag: { x: false, setScale: false }, focus: { prox: node ? -1 : 20 } },
      focus: { alpha: Math.min(0.25, 2 / lines.length) }, // a hundred faint lines are no faint ground
      hooks: {
        setSeries: [(_, index) => (this.line = index === null ? undefined : index - 1)],
        setCursor: [({ cursor }) => this.tell(cursor.idx)],
      },
    }
  }

  /** Says what stands at the cursor. */
  tell(index) {
    const { times, lines, shown } = this.history
    if (index == null) return this.say(lines.length === 0 ? 'Nothing was measured in this time.' : '')
    const among = (low, high) => `from ${textOf(low)} to ${textOf(high)} ${shown.unit}`
    const values = lines.map(({ mean }) => mean[index]).filter((value) => value != null)
    const { name, mean, min, max } = lines[this.line] ?? {}
    let text = `${values.length} nodes`
    if (mean) text = `${name}, ${mean[index] == null ? 'nothing' : `${textOf(mean[index])} ${shown.unit}`}`
    else if (values.length > 0) text += `, ${among(Math.min(...values), Math.max(...values))}`
    if (min?.[index] != null) text += `, ${among(min[index], max[index])}`
    this.say(text, times[index])
  }

  say(text, time) {
    this.part('.readout').textContent = time ? `${timeOf(time)}: ${text}` : text
  }

  /** The arrow keys move the cursor, and choose a line. */
  move(event) {
    const { times, lines } = this.history ?? { lines: [] }
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      PageUp: -20,
      PageDown: 20,
      Home: -MOST_POINTS,
      End: MOST_POINTS,
    }
    const lower = { ArrowUp: -1, ArrowDown: 1 }
    if (lines.length === 0 || !(event.key in { ...steps, ...lower })) return
    event.preventDefault()
    const index = (this.plot.cursor.idx ?? times.length) + (steps[event.key] ?? 0)
    const within = Math.max(0, Math.min(times.length - 1, index))
    const chosen =
      this.line === undefined ? 0 : (this.line + (lower[event.key] ?? 0) + lines.length) % lines.length
    const value = lines[chosen].mean[within]
    const left = Math.max(0, this.plot.valToPos(times[within], 'x'))
    this.plot.setCursor({ left, top: value == null ? 0 : this.plot.valToPos(value, 'y') })
    if (!node) this.plot.setSeries(chosen + 1, { focus: true })
    this.tell(this.plot.cursor.idx)
  }

  /** The server makes the table, as it does for who has no JavaScript. */
  async showTable() {
    if (!this.part('details').open) return
    const answer = await fetch(
      `/vitals?${new URLSearchParams({ vital: this.vital, span, node, tables: 'yes' })}`,
    )
    const made = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('.wide')
    this.part('.wide').replaceWith(made)
  }
}

/** The points that have no neighbours, and so are no part of a line. */
function lonely(plot, series, areAllShown) {
  const values = plot.data[series]
  const isAlone = (index) => values[index] != null && values[index - 1] == null && values[index + 1] == null
  return areAllShown ? null : [...values.keys()].filter(isAlone)
}

/** What stands below a chart: the hour, and at midnight the date; of a long time the month. */
function tick(time, step) {
  const [date, hour] = timeOf(time).split(' ')
  if (step >= 28 * DAY) return date.slice(0, 7)
  return step >= DAY || hour === '00:00:00' ? date.slice(5) : hour.slice(0, 5)
}

const charts = [...document.querySelectorAll('[data-vital]')].map((section) => new Chart(section))
let again

async function load(which = charts) {
  clearTimeout(again)
  try {
    await Promise.all(which.map((chart) => chart.load()))
    stream.say('')
  } catch ({ message }) {
    stream.say(message)
    again = setTimeout(() => stream.isThere && load(), AGAIN_MS)
  }
}

/** The last hour goes on by what comes. What was longer is asked for again when it may have another point. */
function look() {
  if (!stream.isThere) return
  const old = (since, ms) => performance.now() - since > ms
  const drawn = charts.filter((chart) => chart.plot)
  const still = drawn.filter(({ drawnAt }) => old(drawnAt, STILL_MS))
  const passed = drawn.filter(({ askedAt, history }) => old(askedAt, history.step * 1000))
  if (span === 'hour') for (const chart of still) chart.update()
  else if (passed.length > 0) load(passed)
}

const stream = follow('/vitals/events', {
  version,
  zone,
  begin: () => load(), // with what has come while nobody looked
  take: (rows) => {
    for (const row of Object.values(rows)) for (const chart of charts) chart.take(row)
  },
})
setInterval(look, LOOK_MS)
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const chart of charts) if (chart.plot) chart.draw()
})
