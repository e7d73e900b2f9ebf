import { createHash } from 'node:crypto'

/** What is to come of a task. */
export function resultOf(number: number): string {
  return createHash('sha256').update(String(number)).digest('base64')
}
