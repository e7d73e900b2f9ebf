/** A recording of `pnpm lab`, or of `pnpm record`, read in the page. */
import type { LabEvent, Lane } from '@rpi-cluster/tutorial/lab/events'
import timelineCss from '@rpi-cluster/tutorial/timeline.css?inline'
import { createTimeline } from '@rpi-cluster/tutorial/timeline.js'

interface LabRecording {
  chapter: string
  lanes: Lane[]
  events: LabEvent[]
  /** How many events the file lacks, since it was full. */
  leftOut: number
}

/**
 * Reads what a file has.
 *
 * @throws Error when it is no recording, in words for a reader
 */
export function readRecording(text: string): LabRecording {
  const lines = text.split('\n').filter((line) => line !== '')
  const header = parsed(lines[0]) ?? parsed(text)
  if (!isHeader(header))
    throw new Error('This is no recording: pnpm lab writes one, and so does pnpm record.')
  if (header.version !== undefined && header.version > 1)
    throw new Error(`This is a recording of version ${header.version}, and this page reads version 1.`)
  const { chapter } = header
  if (header.events) {
    const lanes = header.lanes.map((lane) =>
      typeof lane === 'string' ? { name: lane, program: lane } : lane,
    )
    return { chapter, lanes, events: header.events, leftOut: 0 }
  }
  let leftOut = 0
  const events: LabEvent[] = []
  for (const [index, line] of lines.slice(1).entries()) {
    const event = parsed(line) as (LabEvent & { leftOut?: number }) | undefined
    if (event?.leftOut !== undefined) leftOut += event.leftOut
    else if (typeof event?.at === 'number') events.push(event)
    // The last line of one whose lab was killed may be a part of one.
    else if (index < lines.length - 2)
      throw new Error(`Line ${index + 2} is no event, so the file is damaged.`)
  }
  return { chapter, lanes: header.lanes as Lane[], events: events.sort((a, b) => a.at - b.at), leftOut }
}

/** Shows a recording, and returns what takes it away. */
export function showRecording(place: HTMLElement, { lanes, events }: LabRecording): () => void {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(`${timelineCss}\n.lab-recording .timeline { --timeline-page: var(--vp-c-bg); }`)
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
  const timeline = createTimeline(place, { lanes })
  timeline.add(events)
  timeline.setNow(events.at(-1)?.at ?? 0)
  timeline.follow(false)
  timeline.showAll()
  return () => {
    timeline.destroy()
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet)
  }
}

interface Header {
  version?: number
  chapter: string
  lanes: (Lane | string)[]
  events?: LabEvent[]
}

function isHeader(value: unknown): value is Header {
  const { chapter, lanes } = (value ?? {}) as Partial<Header>
  return typeof chapter === 'string' && Array.isArray(lanes)
}

function parsed(text = ''): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
