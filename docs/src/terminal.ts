/** What a terminal showed, as HTML with the colours that it has there: prompt and output apart, levels of log lines, names of programs. */
import type { Chapter } from '@rpi-cluster/tutorial/chapters/chapters'

/** `node | ` and `node 2 | `, as `start` writes them. */
const PREFIX = /^([\w-]+)( \d+)?( *\| )/

/** `[09:42:11] INFO (node): ` and the like, as the logger writes them. */
const LOG_LINE = /^(\[\d\d:\d\d:\d\d\]) (TRACE|DEBUG|INFO|WARN|ERROR|FATAL)( \([\w.-]+\))?(: )/

/** How many colours `start` has for its programs. */
const PROGRAM_COLORS = 5

/**
 * The lines of a terminal: those with a command begin with `$ `. What is no command has the class
 * `vp-copy-ignore` where there are commands to copy.
 *
 * @param chapter whose programs speak; without it they get their colours as they come
 */
export function terminalLines(text: string, chapter?: Chapter): { lines: string; hasCommands: boolean } {
  const lines = text.split('\n')
  const hasCommands = lines.some(isCommand)
  const names = chapter?.programs.map(({ name }) => name) ?? []
  const html = lines.map((line) => {
    if (isCommand(line)) {
      // A selection by hand leaves the prompt out as well.
      const prompt = '<span class="prompt vp-copy-ignore">$ </span>'
      return `<kbd class="line">${prompt}${escapeHtml(line.slice(2))}\n</kbd>`
    }
    const ignored = hasCommands ? ' vp-copy-ignore' : ''
    return `<samp class="line${ignored}">${outputLine(line, names)}\n</samp>`
  })
  return { lines: html.join(''), hasCommands }
}

const isCommand = (line: string) => line.startsWith('$ ')

function outputLine(line: string, names: string[]): string {
  const [prefix = '', name = '', number = '', bar = ''] = PREFIX.exec(line) ?? []
  const rest = line.slice(prefix.length)
  const [head = '', time = '', level = '', logger = '', colon = ''] = LOG_LINE.exec(rest) ?? []
  const said = escapeHtml(rest.slice(head.length))
  return [
    prefix &&
      `<span class="who-${colorOf(name, names)}">${name}${number}</span><span class="dim">${bar}</span>`,
    head && `<span class="dim">${time}</span> <span class="${level.toLowerCase()}">${level}</span>`,
    head && `<span class="dim">${logger}${colon}</span>`,
    said,
  ].join('')
}

function colorOf(name: string, names: string[]): number {
  if (!names.includes(name)) names.push(name)
  return names.indexOf(name) % PROGRAM_COLORS
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)
}
