/** A recording of `pnpm lab`, or of `pnpm record`, in the page. */
import { fromWire, type Recording, RecordingLines } from '@rpi-cluster/tutorial/lab/recording-lines'
import timelineCss from '@rpi-cluster/tutorial/timeline.css?inline'
import { createTimeline } from '@rpi-cluster/tutorial/timeline.js'

/** @throws Error when it is no recording, or damaged, in words for a reader */
export async function recordingIn(file: File): Promise<Recording> {
  const text = await file.text()
  const lines = text.split('\n').filter((line) => line !== '')
  // What pnpm record writes is one object, and has many lines all the same.
  if (lines[0]?.endsWith(',')) return fromWire(parsed(text, file.name), file.name)
  const recording = new RecordingLines(file.name)
  for (const line of lines) recording.add(line)
  return recording.end()
}

/** Shows a recording, and returns what takes it away. */
export function showRecording(place: HTMLElement, { header, events }: Recording): () => void {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(`${timelineCss}\n.lab-recording .timeline { --timeline-page: var(--vp-c-bg); }`)
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
  const timeline = createTimeline(place, { lanes: header.lanes })
  timeline.add(events)
  timeline.setNow(events.at(-1)?.at ?? 0)
  timeline.follow(false)
  timeline.showAll()
  return () => {
    timeline.destroy()
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet)
  }
}

function parsed(text: string, name: string) {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`${name} is damaged: ${(error as Error).message}`)
  }
}
