/**
 * What happens in a cluster, in words, and the bytes of its wire, made visible.
 *
 * @import { LabAction, LabEvent } from '../events.ts'
 * @import { WireBytes } from '../../record/wire.ts'
 */

/** What a state is called, and its sign: a colour is never the only one. */
export const STATES = {
  started: { says: 'has started', sign: '▹' },
  ready: { says: 'is ready', sign: '▸' },
  stopped: { says: 'stands still', sign: '‖' },
  continued: { says: 'goes on', sign: '▸' },
  ended: { says: 'has ended', sign: '✕' },
}

const DIRECTIONS = { toServer: 'what it sends', toClient: 'what it is sent', both: 'both ways' }

/** What a line begins with that its place and its sign say as well: `[12:00:01] INFO (node): `. */
export const PREFIX = /^\[[\d:.]+\] [A-Z]+ \([^)]*\): /

/** An event in a sentence. @param {LabEvent} event @returns {string} */
export function describe(event) {
  switch (event.type) {
    case 'line':
      return event.text
    case 'state':
      return `${STATES[event.state].says}${event.how === undefined ? '' : `: ${event.how}`}`
    case 'done':
      return actionInWords(event.action, true)
    case 'checked':
      return `${event.kept ? 'Kept' : 'Broken'}: ${event.promise}${event.why === undefined ? '' : ` (${event.why})`}`
    case 'opened':
      return `connects to ${event.to}`
    case 'ended':
      return event.reset
        ? `breaks the connection with ${event.to} off`
        : `says to ${event.to} that it will send nothing more`
    default: {
      const length = bytesOf(event).length
      const type = messageTypeOf(event)
      return `sends ${event.to} ${type === '' ? '' : `${type}, `}${length} ${length === 1 ? 'byte' : 'bytes'}`
    }
  }
}

/**
 * An action in words.
 *
 * @param {LabAction} action
 * @param {boolean} isNamed whether the lane is to be named
 * @returns {string}
 */
export function actionInWords(action, isNamed = true) {
  const lane = 'lane' in action && isNamed ? ` ${action.lane}` : ''
  const link = 'lane' in action && isNamed ? ` on the link of ${action.lane}` : ''
  switch (action.do) {
    case 'skew':
      return `skew the clock${lane && ` of${lane}`} by ${action.seconds} s`
    case 'cut':
      return `cut${isNamed ? ` the link of${lane}` : ''}`
    case 'heal':
      return `heal${isNamed ? ` the link of${lane}` : ''}`
    case 'black-hole':
      return `black hole for ${DIRECTIONS[action.direction]}${link}`
    case 'delay':
      return `delay of ${action.delayMs} ms${action.jitterMs ? ` and up to ${action.jitterMs} more` : ''}${link}`
    case 'run':
      return `run${isNamed ? lane : ''} ${action.args}`.trim()
    case 'trickle':
      return `${action.bytesPerSecond} bytes a second${link}`
    case 'partition':
      return `partition: ${action.groups.map((group, index) => `${groupName(index)} ${group.join(', ')}`).join(' | ')}`
    case 'heal-all':
      return 'heal everything'
    default:
      return `${action.do}${lane}`
  }
}

/** @param {number} index */
export function groupName(index) {
  return String.fromCharCode(65 + index)
}

/** What a message says that it is, where it is JSON that does. @param {WireBytes} event */
export function messageTypeOf({ text }) {
  if (!text?.startsWith('{')) return ''
  try {
    const { type } = JSON.parse(text)
    return typeof type === 'string' ? type : ''
  } catch {
    return '' // a piece of one, or none
  }
}

/** The bytes of an entry. @param {WireBytes} event */
export function bytesOf({ text, base64 }) {
  if (text !== undefined) return new TextEncoder().encode(text)
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
}

/** @param {WireBytes} event */
export function contentOf(event) {
  return event.text ?? new TextDecoder().decode(bytesOf(event))
}

/** JSON with a line for each part; nothing when it is none. @param {string} text */
export function prettyJson(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return undefined
  }
}

/** A text with its control characters made visible: `\r`, `\x1b`. @param {string} text */
export function visible(text) {
  /** @type {Record<string, string>} */
  const names = { '\r': '\\r', '\n': '\\n\n', '\t': '\\t' }
  return text.replace(
    /\p{Cc}/gu,
    (char) => names[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/** So many bytes to a line, in hexadecimal and as ASCII; a point stands for what is not printed. @param {Uint8Array} bytes @param {number} perLine */
export function hexDump(bytes, perLine) {
  const lines = []
  for (let at = 0; at < bytes.length; at += perLine) {
    const row = [...bytes.subarray(at, at + perLine)]
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const ascii = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    lines.push(`${hex.padEnd(perLine * 3)}  ${ascii}`)
  }
  return lines.join('\n')
}

/** @param {number} at */
export function seconds(at) {
  return `${Math.max(0, at).toFixed(2)} s`
}
