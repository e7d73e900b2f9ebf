/** Why the system did not start one more process, in words that say what to do. */

/**
 * What to tell the reader.
 *
 * @param name what could not be started: `node 20`
 * @param error what `spawn` gave
 * @param programs how many programs there were to be
 */
export function whyNotStarted(
  name: string,
  { code, message }: NodeJS.ErrnoException,
  programs: number,
): string {
  switch (code) {
    case 'EMFILE':
      return `${name} could not be started: too many files are open here${limit('open_files', 'and this shell allows')}. Start fewer programs, or allow more first: ulimit -n ${filesFor(programs)}`
    case 'ENFILE':
      return `${name} could not be started: too many files are open on this machine. Start fewer programs, or end others.`
    case 'EAGAIN':
      return `${name} could not be started: you have as many processes as this machine lets you have${limit('max_user_processes', 'which is')}. Start fewer programs, or end others; ulimit -u shows the limit.`
    case 'ENOMEM':
      return `${name} could not be started: this machine has no memory left for it. Start fewer programs, or end others.`
    default:
      return `${name} could not be started: ${message}`
  }
}

/** How many files are enough: two pipes for each program, one to spare, and what Node has open itself. As a round number. */
function filesFor(programs: number): number {
  return 2 ** Math.ceil(Math.log2(3 * programs + 64))
}

/**
 * What the machine lacks, by a line of a program that broke off while it started: then Node, or what it
 * loads first, has met the same limit inside, and says so in its own way.
 */
export function lackIn(line: string): NodeJS.ErrnoException | undefined {
  const code = /\b(EMFILE|ENFILE|EAGAIN|ENOMEM)\b/.exec(line)?.[1]
  if (code) return Object.assign(new Error(line), { code })
  if (/uv_thread_create|pthread_create|Resource temporarily unavailable/.test(line))
    return Object.assign(new Error(line), { code: 'EAGAIN' })
  if (/out of memory|Cannot allocate memory|std::bad_alloc/.test(line))
    return Object.assign(new Error(line), { code: 'ENOMEM' })
  return undefined
}

/** `, and this shell allows 64`, where the system tells it. */
function limit(of: string, words: string): string {
  // It would look up the name of every address that this process is connected to.
  Object.assign(process.report, { excludeNetwork: true })
  const report = process.report.getReport() as { userLimits?: Record<string, { soft?: number | string }> }
  const soft = report.userLimits?.[of]?.soft
  return typeof soft === 'number' ? `, ${words} ${soft}` : ''
}
