/** What two runs of one program have in common: their lines, without times, ports and what is the machine's own. */
import { hostname } from 'node:os'

/**
 * Whether a line is one of the table of who is here, as a roster logs it. Which tables there are is chance: a node that
 * comes a little later makes another one.
 */
export function isOfRoster(line: string): boolean {
  return /\): (Here now: |- )/.test(line)
}

/** A line without what differs from run to run, and from machine to machine. */
export function normalized(line: string): string {
  return line
    .replaceAll(hostname(), 'HOST')
    .replace(/"hostname":"[^"]*"/g, '"hostname":"HOST"')
    .replace(/"cpu":"[^"]*"/g, '"cpu":"CPU"')
    .replace(/,"cpu_temperature":[\d.]+/g, '') // which not every machine knows
    .replace(/"((?:cpu_|ram|swap|disk_)\w*|client|pid)":[\d.]+/g, '"$1":N')
    .replace(/"id":\d+/g, '"id":N')
    .replace(/\b[0-9a-f]{32}\b/g, 'IDENTITY')
    .replace(/\b([a-z]{3,})-[1-9](?=[ :,]|$)/g, '$1-N') // nodes take their keys as they come
    .replace(/\?token=[\w-]{43}/g, '?token=TOKEN')
    .replace(/"time":\d+/g, '"time":TIME')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/\d\d:\d\d:\d\d/g, 'TIME')
    .replace(/\d{4}-\d\d-\d\d TIME/g, 'TIME')
    .replace(/((?:\d{1,3}\.){3}\d{1,3}|localhost):\d+/g, '$1:PORT')
    .replace(/\b[Pp]ort \d+/g, 'port N')
    .replace(/\bpid \d+/g, 'pid N')
    .replace(/\b(client:?) \d+/g, '$1 N')
    .replace(/#\d+/g, '#N')
    .replace(/\bHere now: \d+/g, 'Here now: N')
    .replace(/\b\d+ cores?\b/g, 'N cores')
    .replace(/\b[\d.]+ GiB\b/g, 'N GiB')
    .replace(/\b\d+(\.\d+)? ?(ms|s)\b/g, 'DURATION')
    .replace(/(?<=\S) {2,}(?=\S)/g, '  ') // columns, as wide as what stands in them
    .replace(/(^|[\s"'(])\/[^\s"'()]*\/(chapters|packages)\//g, '$1/.../$2/')
    .trimEnd()
}
