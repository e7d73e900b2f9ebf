/**
 * A picture of how a herd came back, for a page or a README. As the chapters' pictures it brings its own colours, light
 * and dark, on a ground of its own, and is readable on a phone.
 */
import { axisX, axisY, plot, rectY, ruleX, ruleY, text } from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { AWAY_MS, type Herd, peak, SLAVES, type Way } from './index.ts'

/** What it is drawn in, as a phone shows it, and how much larger it is where there is room. */
const [WIDTH, HEIGHT, SCALE] = [360, 322, 1.25]

/** From the left edge to the letters, and to the bars. */
const [EDGE, LEFT] = [12, 54]

/** The two that are drawn, with a title for each. */
const TITLES = {
  windows: 'Here: a try in each window, at random',
  fixed: 'The original: 60 s after a try that failed',
} as const satisfies Partial<Record<Way, string>>

type Drawn = keyof typeof TITLES

const DRAWN = Object.keys(TITLES) as Drawn[]

export function pictureOf(herds: Record<Drawn, Herd>): string {
  const { document } = parseHTML('<html></html>')
  const bars = DRAWN.flatMap((way) => counted(herds[way].comings).map((bar) => ({ way, ...bar })))
  const listening = DRAWN.map((way) => ({ way, after: herds[way].listening / 1_000 }))
  const says = Object.fromEntries(DRAWN.map((way) => [way, inWords(herds[way])])) as Record<Drawn, string>
  const note = { fy: (way: Drawn) => way, frameAnchor: 'top-left', textAnchor: 'start' } as const

  const svg = plot({
    document,
    className: 'herd',
    width: WIDTH,
    height: HEIGHT,
    marginLeft: LEFT,
    marginRight: EDGE,
    marginTop: 68,
    marginBottom: 46,
    style: { fontSize: '12.5px' },
    x: { domain: [0, Math.max(62, ...bars.map(({ second }) => second + 1))] },
    y: { domain: [0, SLAVES] },
    fy: { axis: null, domain: DRAWN, padding: 0.5 },
    marks: [
      axisX({
        ticks: [0, 10, 20, 30, 40, 50, 60],
        anchor: 'bottom',
        label: 'seconds since the master was lost',
        labelAnchor: 'center',
        labelOffset: 38,
        labelArrow: 'none',
      }),
      axisY({ label: null, ticks: [0, 500, 1_000], tickSize: 4 }),
      ruleX(listening, { fy: 'way', x: 'after', strokeDasharray: '3 3', className: 'herd-quiet' }),
      rectY(bars, {
        fy: 'way',
        x1: (bar) => bar.second + 0.06,
        x2: (bar) => bar.second + 0.94,
        y: 'count',
        className: 'herd-bars',
      }),
      ruleY([0]),
      text(['slaves back in each second'], {
        fy: () => DRAWN[0],
        frameAnchor: 'top-left',
        textAnchor: 'start',
        dx: EDGE - LEFT,
        dy: -54,
        className: 'herd-quiet',
      }),
      text(DRAWN, {
        ...note,
        text: (way: Drawn) => TITLES[way],
        dx: EDGE - LEFT,
        dy: -36,
        fontWeight: 'bold',
      }),
      text(DRAWN, { ...note, text: (way: Drawn) => says[way], dx: EDGE - LEFT, dy: -20 }),
      text(listening.slice(-1), {
        fy: 'way',
        x: 'after',
        text: ({ after }) => `the master listens again, after ${after.toFixed(1)} s`,
        frameAnchor: 'top',
        textAnchor: 'start',
        dx: 6,
        dy: 10,
        className: 'herd-quiet',
      }),
    ],
  })
  svg.querySelector('style')?.remove()
  svg.insertAdjacentHTML(
    'afterbegin',
    [
      `<title id="herd-title">${count.format(SLAVES)} slaves come back to a master that was started again after ${AWAY_MS / 1_000} seconds</title>`,
      `<desc id="herd-desc">${DRAWN.map((way) => `${TITLES[way]}: ${says[way]}.`).join(' ')}</desc>`,
      `<style>${STYLE}</style>`,
      `<rect class="herd-ground" x=".5" y=".5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="8"/>`,
    ].join(''),
  )
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-labelledby', 'herd-title herd-desc')
  svg.setAttribute('width', String(WIDTH * SCALE))
  svg.setAttribute('height', String(HEIGHT * SCALE))
  return `${svg.outerHTML}\n`
}

const count = new Intl.NumberFormat('en')

function inWords({ comings }: Herd): string {
  return `at most ${count.format(peak(comings))} in a second, the last after ${((comings.at(-1) ?? 0) / 1_000).toFixed(1)} s`
}

/** How many came in each second. Shorter ones would be thinner than a pixel on a phone. */
function counted(comings: readonly number[]): { second: number; count: number }[] {
  const counts = new Map<number, number>()
  for (const at of comings) {
    const second = Math.floor(at / 1_000)
    counts.set(second, (counts.get(second) ?? 0) + 1)
  }
  return [...counts].map(([second, count]) => ({ second, count }))
}

/** The colours and letters of the chapters' pictures. */
const STYLE = [
  '.herd{color:#1f2328;font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}',
  '.herd-ground{fill:#fff;stroke:#d1d9e0}.herd-bars{fill:#a3123f}.herd-quiet{color:#59636e;fill:#59636e}',
  '@media (prefers-color-scheme:dark){.herd{color:#f0f6fc}.herd-ground{fill:#15181e;stroke:#3d444d}',
  '.herd-bars{fill:#ff9bb5}.herd-quiet{color:#a9b2bc;fill:#a9b2bc}}',
].join('')
