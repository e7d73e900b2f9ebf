/** Shows a text in a reader's pager, as git does, and never loses it to one that does not work. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * Shows a text until the reader has left the pager. When the pager cannot be started or fails, the text is printed.
 *
 * @param command a shell command, which takes the text from its standard input
 * @returns what was wrong with the pager; nothing when nothing was
 */
export async function page(text: string, command: string): Promise<string | undefined> {
  // Ctrl-C is for the pager. Without this, it would lose us, and share the terminal with the reader's shell.
  let wasInterrupted = false
  const onInterrupt = () => {
    wasInterrupted = true
  }
  process.on('SIGINT', onInterrupt)
  try {
    const child = spawn(command, {
      shell: true,
      stdio: ['pipe', 'inherit', 'inherit'],
      env: { LESS: 'FRX', LV: '-c', ...process.env },
    })
    child.stdin.on('error', () => {}) // the reader left the pager before the end
    child.stdin.end(text)
    const [code, signal] = await once(child, 'close')
    if (code === 0 || wasInterrupted) return undefined
    process.stdout.write(text)
    return signal
      ? `was ended by ${signal}`
      : `ended with exit code ${code}${code === 127 ? ': there is no such program' : ''}`
  } catch (error) {
    process.stdout.write(text)
    return `could not be started: ${error instanceof Error ? error.message : error}`
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}
