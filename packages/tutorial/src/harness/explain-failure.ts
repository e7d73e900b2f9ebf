/** What a test that fails in a reader's practice folder says besides: what the programs did, and where to read on. */
import { basename, dirname } from 'node:path'
import type { RunnerTestCase } from 'vitest'

/** Everything that a program has printed. */
export interface ProgramOutput {
  /** `src/main.ts` */
  name: string
  lines: readonly string[]
}

/** How much of a program's output is shown: the first lines, which tell how far it came. */
const LINES_SHOWN = 12

/** True for a test in `practice/NN-name/test`. */
export function isPractice(testFile: string): boolean {
  return basename(dirname(dirname(dirname(testFile)))) === 'practice'
}

/** Adds to the message of a failed test what it promised, what the programs printed, and what explains it. */
export async function explainFailure(
  test: Readonly<RunnerTestCase>,
  outputs: readonly ProgramOutput[],
): Promise<void> {
  // Only a failure needs it: reading Markdown takes a while to load.
  const { whereExplained } = await import('../texts/where-explained.ts')
  const chapter = basename(dirname(dirname(test.file.filepath)))
  const number = Number.parseInt(chapter, 10)
  for (const error of test.result?.errors ?? []) {
    error.message = [
      error.message,
      '',
      `What was expected: ${test.name}.`,
      // The harness's own errors end with the output already.
      ...(error.message.includes('It said:') ? [] : outputs.flatMap(shown)),
      `The README says more: ${whereExplained(chapter, test.name)}`,
      `For the next step: pnpm -C ../.. practice ${number} --hint`,
      '',
    ].join('\n')
  }
}

function shown({ name, lines }: ProgramOutput): string[] {
  if (lines.length === 0) return [`What ${name} printed: nothing.`]
  return [
    `What ${name} printed:`,
    ...lines.slice(0, LINES_SHOWN).map((line) => `  ${line}`),
    ...(lines.length > LINES_SHOWN ? [`  ... and ${lines.length - LINES_SHOWN} more lines`] : []),
  ]
}
