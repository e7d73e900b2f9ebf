/** A picture of how a herd came back, for a page or a README: it brings its own colours, light and dark. */
import { axisX, axisY, plot, rectY, ruleX, ruleY, text } from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { AWAY_MS, peak, SLAVES, type Way } from './index.ts'

/** A bar is so many ms of time. */
const BAR_MS = 1_000

const WAYS: Record<Way, string> = {
  windows: 'Here: one try in each window of 1, 2, 4, 8 ... s, at random',
  fixed: 'The original: 60 s after a try that failed',
}

/** @param herds when each slave came back, in ms after the loss */
export function pictureOf(herds: Record<Way, readonly number[]>): string {
  const { document } = parseHTML('<html></html>')
  const bars = Object.entries(herds).flatMap(([way, comings]) =>
    [...counted(comings)].map(([second, count]) => ({ way: WAYS[way as Way], second, count })),
  )
  const about = Object.entries(herds).map(([way, comings]) => ({
    way: WAYS[way as Way],
    says: `the last after ${((comings.at(-1) ?? 0) / 1_000).toFixed(1)} s, at most ${peak(comings)} in a second`,
  }))
  const svg = plot({
    document,
    width: 640,
    height: 380,
    marginLeft: 48,
    marginTop: 44,
    marginBottom: 48,
    x: { domain: [0, 62] },
    fy: { axis: null, domain: Object.values(WAYS), padding: 0.42 },
    y: { domain: [0, SLAVES] },
    marks: [
      axisX({
        label: 'seconds since the master was lost',
        anchor: 'bottom',
        labelAnchor: 'center',
        labelOffset: 40,
        labelArrow: 'none',
      }),
      axisY({ label: null, ticks: 3 }),
      rectY(bars, {
        fy: 'way',
        x1: (d) => d.second + 0.06,
        x2: (d) => d.second + 0.94,
        y: 'count',
        className: 'bars',
      }),
      ruleY([0]),
      ruleX([AWAY_MS / 1_000], { strokeDasharray: '4 4', strokeOpacity: 0.7 }),
      text(about, {
        fy: 'way',
        frameAnchor: 'top-left',
        dy: -30,
        text: 'way',
        fontWeight: 'bold',
        textAnchor: 'start',
      }),
      text(about, { fy: 'way', frameAnchor: 'top-left', dy: -15, text: 'says', textAnchor: 'start' }),
      text([`the master is there again after ${AWAY_MS / 1_000} s`], {
        fy: () => WAYS.fixed,
        x: AWAY_MS / 1_000,
        frameAnchor: 'top',
        dx: 6,
        dy: 8,
        textAnchor: 'start',
      }),
    ],
    style: { fontSize: '13px' },
  })
  svg.querySelector('style')?.remove()
  const alt = about.map(({ way, says }) => `${way}: ${says}.`).join(' ')
  svg.insertAdjacentHTML(
    'afterbegin',
    `<title>${SLAVES} slaves come back to a master that was away for ${AWAY_MS / 1_000} seconds</title><desc>${alt}</desc><style>${STYLE}</style>`,
  )
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  svg.setAttribute('role', 'img')
  return `${svg.outerHTML}\n`
}

const STYLE = `svg{color:#1f2328;background:#fff;font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}.bars{fill:#a3123f}@media (prefers-color-scheme:dark){svg{color:#e6edf3;background:#0d1117}.bars{fill:#f0709a}}`

/** How many came in each second. */
function counted(comings: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const at of comings) {
    const second = Math.floor(at / BAR_MS)
    counts.set(second, (counts.get(second) ?? 0) + 1)
  }
  return counts
}
