/**
 * git, where there is one: how a reader likes differences to be shown. What is compared, and what differs, is never
 * asked of it, so everything here works without git, and whatever is set up for it.
 */
import { spawnSync } from 'node:child_process'
import { ROOT } from './repository.ts'

/** What git said, or why it said nothing: a sentence for the reader. */
export type GitAnswer = { isOk: true; stdout: string } | { isOk: false; isMissing: boolean; why: string }

interface GitOptions {
  /** The folder to run in: the repository's, where its own settings count too. */
  cwd?: string
  /** The exit codes that are no failure. */
  ok?: readonly number[]
}

/** What a hook, or a shell in another repository, tells git of where that is. It is not ours. */
const OF_A_REPOSITORY = [
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_COMMON_DIR',
  'GIT_INDEX_FILE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_NAMESPACE',
  'GIT_PREFIX',
  'GIT_CONFIG',
]

const MISSING = 'git is not installed (sudo apt install git, or https://git-scm.com/downloads)'

/** Runs git. Whatever keeps it from answering is an answer too. */
export function git(args: readonly string[], { cwd = ROOT, ok = [0] }: GitOptions = {}): GitAnswer {
  const env = { ...process.env }
  for (const name of OF_A_REPOSITORY) delete env[name]
  const { stdout, stderr, status, signal, error } = spawnSync('git', args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: Number.POSITIVE_INFINITY,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (status !== null && ok.includes(status)) return { isOk: true, stdout }
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  if (code === 'ENOENT') return { isOk: false, isMissing: true, why: MISSING }
  const command = args.find((arg, index) => !arg.startsWith('-') && args[index - 1] !== '-c')
  const lines = (stderr ?? '').split('\n')
  const said = lines.find((line) => /^(fatal|error):/.test(line)) || lines[0]
  const end = signal ?? code ?? `exit code ${status}`
  return { isOk: false, isMissing: false, why: `git ${command} failed (${said || end})` }
}
