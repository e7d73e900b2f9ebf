/** What the tests cost the processor: by package, and the ten dearest. `pnpm test:report` prints it, on Linux. */
import { markdownTable } from 'markdown-table'
import type { Reporter, TestCase, TestModule } from 'vitest/node'
import type {} from './cpu-meter.ts'

/** How many of the dearest tests are named. */
const NAMED = 10

export default class CpuReport implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const byPackage = new Map<string, number>()
    for (const test of tests)
      byPackage.set(test.project.name, (byPackage.get(test.project.name) ?? 0) + costOf(test))
    const dearest = tests.toSorted((a, b) => costOf(b) - costOf(a)).slice(0, NAMED)
    const rows = (lines: [string, number][]) => lines.map(([what, ms]) => [what, (ms / 1000).toFixed(1)])
    const align = ['l', 'r']
    console.log(
      `\n${markdownTable([['Package', 'CPU of its tests, s'], ...rows([...byPackage])], { align })}\n\n${markdownTable(
        [['Dearest tests', 'CPU, s'], ...rows(dearest.map((test) => [nameOf(test), costOf(test)]))],
        { align },
      )}`,
    )
  }
}

function costOf(test: TestCase): number {
  return test.meta().cpuMs ?? 0
}

function nameOf({ project, fullName }: TestCase): string {
  return `${project.name}: ${fullName}`
}
