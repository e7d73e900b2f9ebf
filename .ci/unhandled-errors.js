// A reporter of Vitest for what its JSON report leaves out: errors outside all tests, which end a run badly though no test
// failed. They are written beside the report, for outcome.js.
import { writeFileSync } from 'node:fs'

export default class UnhandledErrors {
  #file

  /** @param {{ outputFile: string }} options where the JSON report is written */
  constructor({ outputFile }) {
    this.#file = outputFile.replace(/\.json$/, '.unhandled.json')
  }

  onTestRunEnd(_modules, errors) {
    const unhandled = errors.map(({ name, message, stack }) => ({
      text: `${name ?? 'Error'}: ${message}`,
      where:
        stack
          ?.split('\n')
          .filter((line) => line.trim().startsWith('at '))
          .slice(0, 6) ?? [],
    }))
    writeFileSync(this.#file, JSON.stringify({ testResults: [], unhandled }))
  }
}
