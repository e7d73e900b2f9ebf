// Prints what came of all tests, from the reports that Vitest has written: how many passed, and each that failed, or that
// passed only when it was run again, with the first line of why; and each error that belonged to no test.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

const reports = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')))
const files = reports.flatMap(({ testResults }) => testResults)
const tests = files.flatMap(({ name, assertionResults }) =>
  assertionResults.map((test) => ({ ...test, file: relative('', name) })),
)
const count = (...statuses) => tests.filter(({ status }) => statuses.includes(status)).length

/** The tests of a list, two lines each. */
function list(title, chosen) {
  if (chosen.length === 0) return
  console.log(title)
  for (const { file, fullName, failureMessages } of chosen) {
    console.log(`- ${file} > ${fullName}`)
    console.log(`  ${failureMessages[0]?.split('\n')[0] ?? 'it gave no reason'}`)
  }
}

const failed = tests.filter(({ status }) => status === 'failed')
list(
  'Passed only when they were run again:',
  tests.filter(({ status, failureMessages }) => status === 'passed' && failureMessages.length > 0),
)
list('Failed:', failed)
for (const { name, status, message } of files) {
  if (status !== 'failed' || failed.some(({ file }) => file === relative('', name))) continue
  console.log(`Could not be run: ${relative('', name)}\n  ${message.split('\n')[0]}`)
}
for (const { text, where } of reports.flatMap(({ unhandled = [] }) => unhandled))
  console.log(`An error outside all tests: ${text}\n${where.join('\n')}`)
console.log(
  `${count('passed')} passed, ${count('failed')} failed, ${count('pending', 'skipped', 'todo')} skipped`,
)
