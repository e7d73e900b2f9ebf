/**
 * What is in force, printed as a configuration file that says of each value where it comes from.
 *
 * @since 0.20.0
 */
import { writeSync } from 'node:fs'
import { basename } from 'node:path'
import type { ValueInForce } from './config-in-force.ts'
import { escapeInvisible } from './log-text.ts'

/**
 * What stands for a secret.
 *
 * @internal
 */
export const HIDDEN = '(secret)'

/** How long to wait for a console that takes no more at the moment, in ms. */
const NAP_MS = 5

/**
 * The values as JSON, with a comment behind each.
 *
 * @internal
 */
export function printedConfig(values: readonly ValueInForce[], path: string | undefined): string {
  const sections = grouped(values)
  const bodies = [...sections].map(([name, own]) => {
    const lines = own.map((value, index) => {
      const comma = index < own.length - 1 ? ',' : ''
      return `    ${JSON.stringify(value.key)}: ${shownValue(value)}${comma} // ${origin(value, path)}`
    })
    return `  ${JSON.stringify(name)}: {\n${lines.join('\n')}\n  }`
  })
  const head = path === undefined ? 'What is in force, without any file.' : `What is in force, with ${path}.`
  return escapeInvisible(`// ${head}\n{\n${bodies.join(',\n')}\n}\n`)
}

/**
 * A value for people: of a secret, nothing.
 *
 * @internal
 */
export function shownValue({ value, isSecret }: ValueInForce): string {
  return jsonOf(isSecret ? HIDDEN : value)
}

/**
 * A value as JSON in one line, with a space behind each comma.
 *
 * @internal
 */
export function jsonOf(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(jsonOf).join(', ')}]` : JSON.stringify(value)
}

/**
 * Where a value comes from, for people.
 *
 * @internal
 */
export function origin({ from, place }: ValueInForce, path: string | undefined): string {
  if (place === undefined) return 'by default'
  return from === 'file' && path !== undefined ? place.replace(path, basename(path)) : place
}

/**
 * Writes to the console, all of it, and at once: the program ends behind it. A console that is gone wants nothing.
 *
 * @internal
 */
export function print(text: string, descriptor = 1): void {
  let bytes = Buffer.from(text)
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(descriptor, bytes))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, NAP_MS)
    }
  }
}

function grouped(values: readonly ValueInForce[]): Map<string, ValueInForce[]> {
  const sections = new Map<string, ValueInForce[]>()
  for (const value of values) sections.set(value.section, [...(sections.get(value.section) ?? []), value])
  return sections
}
