/**
 * A chapter's configuration as text, INI or JSON: what stands at a place of it, and the same text with another value there.
 * Every other character stays, comments among them.
 */
import { DEFAULT_SECTION, readConfigLines, readValue } from '@rpi-cluster/core/config-lines'
import { findNodeAtLocation, getNodeValue, type Node, parseTree } from 'jsonc-parser'

/** A value and its place in a configuration. */
export interface Setting {
  section: string
  /** In JSON it may lie deeper, and its way there has a point between two names: `members.node-1.port`. */
  key: string
  /** As a reader would type it: the letters of a text alone, and anything else as JSON has it. */
  value: string
}

/** Whether a configuration is JSON: an INI file cannot begin with a brace. */
export function isJsonConfig(text: string): boolean {
  return /^(?:\s|\/\/.*|\/\*[\s\S]*?\*\/)*\{/.test(text.replace(/^\uFEFF/, ''))
}

/** What stands at a place such as `node.port`, as the programs read it; nothing where there is none. */
export function valueAt(text: string, place: string): unknown {
  const path = place.split('.')
  if (isJsonConfig(text)) {
    const node = nodeAt(text, path)
    return node && getNodeValue(node)
  }
  const [name = '', key = ''] = path
  const { sections } = readConfigLines(text)
  const own = sections.get(name)
  if (!own) return undefined
  const section = new Map([...(sections.get(DEFAULT_SECTION) ?? []), ...own])
  const entry = section.get(key.toLowerCase())
  return entry && readValue(entry, section).text
}

/** The text with another value in one place; nothing where there is no such key. */
export function textWith(text: string, { section, key, value }: Setting): string | undefined {
  if (isJsonConfig(text)) {
    const node = nodeAt(text, [section, ...key.split('.')])
    if (!node) return undefined
    const written = node.type === 'string' ? JSON.stringify(value) : jsonOf(value, node.type === 'array')
    return text.slice(0, node.offset) + written + text.slice(node.offset + node.length)
  }
  const entry = readConfigLines(text).sections.get(section)?.get(key.toLowerCase())
  if (!entry) return undefined
  const lines = text.split(/(\r\n|\r|\n)/)
  const at = (entry.line - 1) * 2 // every other one is the end of a line
  const before = /^[^=:]*[=:]?\s*/.exec(lines[at] ?? '')?.[0] ?? ''
  lines[at] = entry.value ? before + value : `${before.trimEnd()} ${value}`
  return lines.join('')
}

/** All settings of a configuration: what a reader may have changed. */
export function settingsOf(text: string): Setting[] {
  if (isJsonConfig(text)) {
    return propertiesOf(rootOf(text)).flatMap(([section, node]) =>
      valuesIn(node).map(([key, { type, value, offset, length }]) => ({
        section,
        key,
        value: type === 'string' ? String(value) : text.slice(offset, offset + length),
      })),
    )
  }
  return [...readConfigLines(text).sections].flatMap(([section, entries]) =>
    [...entries.values()].map(({ key, value = '' }) => ({ section, key, value })),
  )
}

/** A setting as its file would have it, for people. */
export function shownSetting(text: string, { section, key, value }: Setting): string {
  return isJsonConfig(text) ? `${section}.${key} = ${value}` : `[${section}] ${key} = ${value}`
}

/** What a reader typed, as JSON: a number stays one, and what is no JSON is a text, or texts separated by commas. */
function jsonOf(value: string, isList: boolean): string {
  try {
    JSON.parse(value)
    return value
  } catch {
    if (isList)
      return `[${value
        .split(',')
        .map((each) => jsonOf(each.trim(), false))
        .join(', ')}]`
    return JSON.stringify(value)
  }
}

function rootOf(text: string): Node | undefined {
  // What else stands there has no places.
  return parseTree(text.replace(/^\uFEFF/, ' '), [], { allowTrailingComma: true })
}

function nodeAt(text: string, path: string[]): Node | undefined {
  const root = rootOf(text)
  return root && findNodeAtLocation(root, path)
}

/** What stands in an object, and in the objects in it. */
function valuesIn(node: Node | undefined): [string, Node][] {
  return propertiesOf(node).flatMap(([key, value]) =>
    propertiesOf(value).length > 0
      ? valuesIn(value).map(([inner, node]): [string, Node] => [`${key}.${inner}`, node])
      : [[key, value]],
  )
}

function propertiesOf(node: Node | undefined): [string, Node][] {
  const properties = node?.type === 'object' ? (node.children ?? []) : []
  return properties.flatMap(({ children: [key, value] = [] }) => (key && value ? [[key.value, value]] : []))
}
