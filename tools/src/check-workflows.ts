/** What actionlint does not look at: who may do what in a workflow, and whose code it runs. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

const FOLDER = join(import.meta.dirname, '../../.github/workflows')

/** A commit, which nobody can move, and the version that it is, for whoever updates it. */
const PINNED = /^[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/

interface Workflow {
  permissions?: unknown
  jobs: Record<string, { permissions?: unknown; 'timeout-minutes'?: number; steps?: Step[] }>
}

interface Step {
  uses?: string
  with?: Record<string, unknown>
}

const files = readdirSync(FOLDER).filter((file) => /\.ya?ml$/.test(file))
const problems = files.flatMap((file) => {
  const text = readFileSync(join(FOLDER, file), 'utf8')
  return [...unpinned(text), ...tooMuchAllowed(parse(text))].map((problem) => `${file}: ${problem}`)
})
for (const problem of problems) console.error(`.github/workflows/${problem}`)
if (problems.length === 0)
  console.log(`${files.length} workflows: every action is pinned, every job limited.`)
process.exitCode = problems.length > 0 ? 1 : 0

function unpinned(text: string): string[] {
  return [...text.matchAll(/^\s*(?:- )?uses: *(.*)$/gm)].flatMap(([, action = '']) =>
    PINNED.test(action) ? [] : [`say "owner/name@commit # v1.2.3", not "${action}"`],
  )
}

function tooMuchAllowed({ permissions, jobs }: Workflow): string[] {
  const problems: string[] = []
  if (JSON.stringify(permissions) !== '{}') {
    problems.push('say "permissions: {}" for the workflow, and in each job what that job needs')
  }
  for (const [name, job] of Object.entries(jobs)) {
    if (typeof job.permissions !== 'object') problems.push(`${name} does not say its permissions`)
    if (!job['timeout-minutes']) problems.push(`${name} has no timeout-minutes`)
    for (const step of job.steps ?? []) {
      if (step.uses?.startsWith('actions/checkout@') && step.with?.['persist-credentials'] !== false) {
        problems.push(`${name} leaves its token in the clone: say "persist-credentials: false"`)
      }
    }
  }
  return problems
}
