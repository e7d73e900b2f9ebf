/** The configuration on a Pi, which is the reader's: what of it stays when a new one comes. */
import { isJsonConfig, type Setting, settingsOf, shownSetting, textWith } from '../chapters/config-file.ts'
import { ReaderError } from '../workspace/reader-error.ts'

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
export function withValue(text: string, setting: Setting): string {
  const { section, key } = setting
  const written = textWith(text, setting)
  if (written === undefined) {
    const where = isJsonConfig(text) ? `section "${section}"` : `section [${section}]`
    throw new ReaderError(`The configuration has no ${key} in its ${where}.`)
  }
  return written
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
      .map((setting) => `is new, and keeps ${shownSetting(fresh, setting)}`)
    return { text: settings.reduce(withValue, fresh), notices }
  } catch {
    return kept // a key that was set is there no more
  }
}

/** What one configuration says otherwise than another. */
function differences(text: string, other: string): Setting[] {
  const named = ({ section, key }: Setting) => `${section}.${key.toLowerCase()}`
  const others = new Map(settingsOf(other).map((setting) => [named(setting), setting.value]))
  return settingsOf(text).filter((setting) => setting.value !== others.get(named(setting)))
}
