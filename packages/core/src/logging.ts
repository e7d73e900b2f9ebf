/**
 * A log for every program: readable lines on the console, and a file of JSON lines that keeps more.
 * Both are written synchronously, so the last line before an exit or a crash is there to be read. But only the
 * file may keep the program waiting: a console that takes no more loses lines, and says how many.
 *
 * @since 0.2.0
 */
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'
import pino from 'pino'
import { prettyFactory } from 'pino-pretty'
import { ConsoleOutput } from './console-output.ts'
import { isJournal, journalPrefix, logsDirectory } from './journal.ts'
import { reportEndTo } from './lifecycle.ts'
import { LogFile } from './log-file.ts'
import { FloodGate } from './log-floods.ts'
import { escapeControls, escapeInvisible, shortenLine } from './log-text.ts'
import { programFolder } from './program-folder.ts'

/** A pino logger: `debug`, `info`, `warn`, `error` and `fatal` write a line each. */
export type Logger = pino.Logger

export interface LoggerOptions {
  /** Where the log file goes. Default: where systemd has made a folder for it (`LOGS_DIRECTORY`), or {@link programFolder}. */
  folder?: string
  /** The size at which the log file rotates, in bytes. Default: 10 MiB. */
  maxFileBytes?: number
  /** How many rotated files are kept beside the current one. Default: 3. */
  keepFiles?: number
  /** Whether all lines below a warning are written, however many there are. Default: false, unless LOG_EVERY_LINE=1 is in the environment. */
  everyLine?: boolean
}

/**
 * Makes the logger of a program.
 *
 * - The console shows level info and above: time, name, level, message. Control characters are
 *   shown escaped, so that text from the network cannot move the cursor or forge a line. In the journal of
 *   systemd, which knows both, a line has its level as systemd writes it, and no time.
 * - The file `NAME.log` gets level debug and above, one JSON object a line, with the process's pid.
 *   Several processes may write to one file. At `maxFileBytes` it becomes `NAME.1.log`,
 *   `NAME.2.log` and so on, and the oldest beyond `keepFiles` is deleted.
 * - A value longer than 2000 characters is shortened in both, and its length is said.
 * - Peers cannot flood it. Of lines that begin alike, as in `Received message from 127.0.0.1:44884: ...`, a
 *   hundred may come at once, and then ten in five seconds; of warnings and errors ten, whatever port the
 *   peer has. All lines together are at most 1,000 at once, and then 160 in five seconds, or 8 KiB a second,
 *   in which the first two lines of each beginning come first. What is left out is counted, and the numbers are
 *   written every five seconds. Fatal lines, and the last one, are always written.
 * - A console that takes no more (a terminal stopped with Ctrl-S, a pipe that nobody reads) keeps nothing waiting.
 *   64 KiB wait for it; what is more goes to the file alone, and is counted on the console when it goes on.
 *
 * @param name names the program in each line, and its file: letters, digits, `.`, `_` and `-`
 * @throws OperationalError when the log file cannot be opened
 * @throws TypeError when the name cannot be a file's name
 */
export function createLogger(name: string, options: LoggerOptions = {}): Logger {
  if (!/^[\w-][\w.-]*$/.test(name)) {
    throw new TypeError(
      `A logger's name becomes a file's name: letters, digits, ".", "_" and "-", not "${name}"`,
    )
  }
  const folder = options.folder ?? logsDirectory() ?? programFolder()
  const file = new LogFile(join(folder, `${name}.log`), options)
  const everyLine = options.everyLine ?? process.env['LOG_EVERY_LINE'] === '1'
  const gate = new FloodGate((line, level) => writeAt(logger, level, line), { everyLine })
  const logger = pino(
    {
      name,
      level: 'debug',
      base: { pid: process.pid, thread: threadId },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        logMethod: limitFloods(gate),
        streamWrite: (line) => gate.charge(escapeInvisible(shortenLine(line))),
      },
    },
    pino.multistream([
      { level: 'info', stream: consoleDestination(name) },
      { level: 'debug', stream: file },
    ]),
  )
  file.onTrouble = (trouble) => logger.warn(trouble)
  reportEndTo(logger)
  return logger
}

type LogMethod = Required<NonNullable<pino.LoggerOptions['hooks']>>['logMethod']

function limitFloods(gate: FloodGate): LogMethod {
  return function (values, log, level) {
    const text = values.find((value) => typeof value === 'string') ?? ''
    if (gate.lets(text, level)) log.apply(this, values)
  }
}

function writeAt(logger: Logger, level: number, line: string): void {
  const method = pino.levels.labels[level] as pino.Level
  logger[method](line)
}

/** The console is one, however many loggers a program has. */
let output: ConsoleOutput | undefined

function consoleDestination(name: string): pino.DestinationStream {
  const inJournal = isJournal()
  const formatted = prettyFactory({
    colorize: process.stdout.hasColors?.() ?? false,
    translateTime: 'SYS:HH:MM:ss',
    ignore: inJournal ? 'pid,thread,time' : 'pid,thread',
  })
  const pretty = (line: string) =>
    inJournal ? `${journalPrefix(JSON.parse(line).level)}${formatted(line)}` : formatted(line)
  output ??= new ConsoleOutput((lines) => {
    const msg = `This console did not take ${lines} ${lines === 1 ? 'line' : 'lines'} that would stand here. The log file has them.`
    return pretty(JSON.stringify({ level: 'warn', time: new Date().toISOString(), name, msg }))
  })
  const console = output
  return { write: (line) => console.write(pretty(escapeControls(line))) }
}
