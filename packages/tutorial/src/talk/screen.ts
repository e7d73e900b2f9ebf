/** Where a conversation is told: lines with their time, above the line that somebody is typing, if anybody is. */
import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline'
import { styleText } from 'node:util'

const COLORS = { '->': 'cyan', '<-': 'magenta' } as const

export class Screen {
  #input: Interface | undefined
  /** Whether a prompt stands on the last line. */
  #isPrompting = false

  /** True where somebody sits at a keyboard. */
  get isTyped(): boolean {
    return Boolean(process.stdin.isTTY)
  }

  /** Writes a line, with the time before it unless it is indented. */
  say(line: string): void {
    const { stdout } = process
    const [, arrow, rest] = /^(->|<-)?(.*)$/s.exec(line) ?? []
    const color = COLORS[arrow as keyof typeof COLORS]
    const colored = color && stdout.hasColors?.() ? `${styleText(color, arrow ?? '')}${rest}` : line
    const time = new Date().toTimeString().slice(0, 8)
    this.#erasePrompt()
    stdout.write(line.startsWith(' ') ? `${line}\n` : `[${time}] ${colored}\n`)
    this.#prompt()
  }

  /**
   * The lines that are typed, or come over a pipe.
   *
   * @param completions what the Tab key offers: the whole lines that a beginning may become
   */
  lines(onInterrupt: () => void, completions: (begun: string) => string[] = () => []): AsyncIterator<string> {
    const { stdin, stdout } = process
    // A terminal that cannot move its cursor (an editor's, say) is written to as a file is.
    this.#isPrompting = Boolean(stdin.isTTY && stdout.isTTY) && process.env['TERM'] !== 'dumb'
    const completer = (begun: string) => [completions(begun), begun]
    const input = this.#isPrompting
      ? createInterface({ input: stdin, output: stdout, prompt: '> ', terminal: true, completer })
      : createInterface({ input: stdin, terminal: false })
    this.#input = input
    input.on('SIGINT', onInterrupt)
    input.on('line', () => this.#prompt())
    input.once('close', () => {
      this.#erasePrompt()
      this.#isPrompting = false
    })
    this.#prompt()
    return input[Symbol.asyncIterator]()
  }

  /** Takes no more input, and lets the process end. */
  close(): void {
    this.#input?.close()
    process.stdin.unref?.()
  }

  #prompt(): void {
    if (this.#isPrompting) this.#input?.prompt(true)
  }

  #erasePrompt(): void {
    if (!this.#isPrompting || !this.#input) return
    moveCursor(process.stdout, 0, -this.#input.getCursorPos().rows)
    cursorTo(process.stdout, 0)
    clearScreenDown(process.stdout)
  }
}
