export interface StateMachine {
  apply(entry: import('./entry-log.ts').LogEntry): void
  snapshot(): Iterable<string>
  restore(pieces: Iterable<string>): void
}
