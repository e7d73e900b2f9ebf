/**
 * A log for every program: readable lines on the console, and a file of JSON lines that keeps more.
 * Both are written synchronously, so the last line before an exit or a crash is there to be read.
 *
 * @since 0.2.0
 */
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'
import pino from 'pino'
import { prettyFactory } from 'pino-pretty'
import { reportEndTo, stopIfConsoleIsGone } from './lifecycle.ts'
import { LogFile } from './log-file.ts'
import { FloodGate } from './log-floods.ts'
import { escapeControls, escapeInvisible, shortenLine } from './log-text.ts'
import { programFolder } from './program-folder.ts'

/** A pino logger: `debug`, `info`, `warn`, `error` and `fatal` write a line each. */
export type Logger = pino.Logger

/** The levels of which a peer can cause any number of lines. */
const LIMITED = new Set([pino.levels.values['warn'], pino.levels.values['error']])

export interface LoggerOptions {
  /** Where the log file goes. Default: {@link programFolder}. */
  folder?: string
  /** The size at which the log file rotates, in bytes. Default: 10 MiB. */
  maxFileBytes?: number
  /** How many rotated files are kept beside the current one. Default: 3. */
  keepFiles?: number
}

/**
 * Makes the logger of a program.
 *
 * - The console shows level info and above: time, name, level, message. Control characters are
 *   shown escaped, so that text from the network cannot move the cursor or forge a line.
 * - The file `NAME.log` gets level debug and above, one JSON object a line, with the process's pid.
 *   Several processes may write to one file. At `maxFileBytes` it becomes `NAME.1.log`,
 *   `NAME.2.log` and so on, and the oldest beyond `keepFiles` is deleted.
 * - A value longer than 2000 characters is shortened in both, and its length is said.
 * - Of warnings and errors that begin alike, up to the first colon, ten in five seconds are written,
 *   and then one line with the number of the others.
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
  const folder = options.folder ?? programFolder()
  const file = new LogFile(join(folder, `${name}.log`), options)
  const logger = pino(
    {
      name,
      level: 'debug',
      base: { pid: process.pid, thread: threadId },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        logMethod: limitFloods((line) => logger.warn(line)),
        streamWrite: (line) => escapeInvisible(shortenLine(line)),
      },
    },
    pino.multistream([
      { level: 'info', stream: consoleDestination() },
      { level: 'debug', stream: file },
    ]),
  )
  file.onTrouble = (trouble) => logger.warn(trouble)
  reportEndTo(logger)
  return logger
}

type LogMethod = Required<NonNullable<pino.LoggerOptions['hooks']>>['logMethod']

/** @param write writes the line that says how many lines were not written */
function limitFloods(write: (line: string) => void): LogMethod {
  const gate = new FloodGate(write)
  return function (values, log, level) {
    const text = values.find((value) => typeof value === 'string')
    if (LIMITED.has(level) && text !== undefined && !gate.lets(text)) return
    log.apply(this, values)
  }
}

function consoleDestination(): pino.DestinationStream {
  const stdout = pino.destination({ fd: 1, sync: true })
  stdout.on('error', stopIfConsoleIsGone)
  const pretty = prettyFactory({
    colorize: process.stdout.hasColors?.() ?? false,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,thread',
  })
  return { write: (line) => stdout.write(pretty(escapeControls(line))) }
}
