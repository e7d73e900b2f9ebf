/** The configuration on a Pi, which is the reader's: what of it stays when a new one comes. */
import { readConfigLines } from '@rpi-cluster/core/config-lines'
import { ReaderError } from '../workspace/reader-error.ts'

/** A value and its place in a configuration. */
export interface Setting {
  section: string
  key: string
  value: string
}

/** A configuration, and what to tell of it. */
export interface Carried {
  text: string
  notices: string[]
}

/**
 * The setting that a text such as `node.port=7000` means.
 *
 * @throws ReaderError when it means none
 */
export function settingOf(text: string): Setting {
  const [, section = '', key = '', value = ''] = /^([^.=]+)\.([^=]+)=(.*)$/s.exec(text) ?? []
  if (section === '' || key === '' || /[\r\n]/.test(text))
    throw new ReaderError(`--set takes SECTION.KEY=VALUE, such as node.port=7000, not "${text}".`)
  return { section, key: key.trim(), value: value.trim() }
}

/**
 * A configuration with another value in one place. Every other line, and every comment, stays as it is.
 *
 * @throws ReaderError when it has no such key
 */
export function withValue(text: string, { section, key, value }: Setting): string {
  const entry = readConfigLines(text).sections.get(section)?.get(key.toLowerCase())
  if (!entry) throw new ReaderError(`The configuration has no ${key} in its section [${section}].`)
  const lines = text.split(/(\r\n|\r|\n)/)
  const at = (entry.line - 1) * 2 // every other one is the end of a line
  const before = /^[^=:]*[=:]?\s*/.exec(lines[at] ?? '')?.[0] ?? ''
  lines[at] = entry.value ? before + value : `${before.trimEnd()} ${value}`
  return lines.join('')
}

/**
 * The configuration to have on a Pi. Where the reader has set values there and nothing else, the new one gets these.
 * Where more is changed, all of it stays.
 *
 * @param theirs as it stands on the Pi; nothing when there is none
 * @param shipped as it was brought there
 * @param fresh as the bundle has it now
 */
export function carriedOver(theirs: string | undefined, shipped: string | undefined, fresh: string): Carried {
  if (theirs === undefined || theirs === shipped || theirs === fresh) return { text: fresh, notices: [] }
  const kept = { text: theirs, notices: fresh === shipped ? [] : ['stays as you have changed it there'] }
  if (shipped === undefined || fresh === shipped) return kept
  const settings = differences(theirs, shipped)
  try {
    if (settings.reduce(withValue, shipped) !== theirs) return kept
    const notices = differences(theirs, fresh)
      .filter((setting) => settings.some((own) => own.section === setting.section && own.key === setting.key))
      .map(({ section, key, value }) => `is new, and keeps [${section}] ${key} = ${value}`)
    return { text: settings.reduce(withValue, fresh), notices }
  } catch {
    return kept // a key that was set is there no more
  }
}

/** What one configuration says otherwise than another. */
function differences(text: string, other: string): Setting[] {
  const others = readConfigLines(other).sections
  return [...readConfigLines(text).sections].flatMap(([section, entries]) =>
    [...entries].flatMap(([name, { key, value = '' }]) =>
      value === others.get(section)?.get(name)?.value ? [] : { section, key, value },
    ),
  )
}
