/** Turns a program of a chapter into what a worker can run: its types are taken away, its imports become calls. */
import { transform } from 'sucrase'
import type { Script } from './messages.ts'

/** Lines stay where they are, so that an error is where the reader sees it. */
export function toScript(
  path: string,
  text: string,
): Script | { file: string; line: number; column: number; message: string } {
  try {
    const { code } = transform(text, {
      transforms: ['typescript', 'imports'],
      filePath: path,
      disableESTransforms: true,
    })
    return { path, code }
  } catch (error) {
    const { message, loc } = error as Error & { loc?: { line: number; column: number } }
    const told = message.replace(/^Error transforming [^:]*: /, '').replace(/ \(\d+:\d+\)$/, '')
    return { file: path, line: loc?.line ?? 1, column: loc?.column ?? 1, message: told }
  }
}
