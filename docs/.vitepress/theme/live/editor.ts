/** The editor, with what it needs of CodeMirror and no more: loaded with Live, and not before. */
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { typescriptLanguage } from '@codemirror/lang-javascript'
import {
  bracketMatching,
  HighlightStyle,
  indentOnInput,
  StreamLanguage,
  syntaxHighlighting,
} from '@codemirror/language'
import { properties } from '@codemirror/legacy-modes/mode/properties'
import { lintGutter, setDiagnostics } from '@codemirror/lint'
import { EditorState, type Extension } from '@codemirror/state'
import { drawSelection, EditorView, keymap, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import type { SourceProblem } from '../../../live/cluster.ts'

/** The colours of the site, which are others in the dark. */
const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword], color: 'var(--magenta)' },
  { tag: [tags.string, tags.regexp, tags.special(tags.string), tags.quote], color: 'var(--ok)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--warning)' },
  { tag: [tags.comment], color: 'var(--vp-c-text-2)', fontStyle: 'italic' },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], color: 'var(--blue)' },
  { tag: [tags.typeName, tags.className, tags.heading], color: 'var(--cyan)' },
])

const looks = EditorView.theme({
  '&': { color: 'var(--vp-c-text-1)', backgroundColor: 'var(--vp-code-block-bg)', height: '100%' },
  '&.cm-focused': { outline: '2px solid var(--vp-c-brand-1)' },
  '.cm-scroller': { fontFamily: 'var(--vp-font-family-mono)', fontSize: '0.84rem', lineHeight: '1.55' },
  '.cm-content': { caretColor: 'var(--vp-c-text-1)' },
  '.cm-cursor': { borderLeftColor: 'var(--vp-c-text-1)' },
  '.cm-gutters': {
    color: 'var(--vp-c-text-2)',
    backgroundColor: 'transparent',
    border: 'none',
  },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--vp-c-brand-soft)',
  },
  '.cm-tooltip': {
    color: 'var(--vp-c-text-1)',
    backgroundColor: 'var(--vp-c-bg-elv)',
    border: '1px solid var(--vp-c-border)',
  },
  '.cm-matchingBracket, &.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--vp-c-brand-soft)' },
})

export interface EditorOptions {
  /** What it is called for who does not see it. */
  labelOf: (file: string) => string
  /** The id of what says how to leave it. */
  describedBy: string
  onChange: (file: string, text: string) => void
  onRun: () => void
}

/** An editor of some files, one of which it shows. */
export class FilesEditor {
  readonly #states = new Map<string, EditorState>()
  readonly #view: EditorView
  readonly #options: EditorOptions
  #file = ''

  constructor(parent: HTMLElement, options: EditorOptions) {
    this.#options = options
    this.#view = new EditorView({ parent })
  }

  /** Gives a file its text, and forgets what was done to it. */
  load(file: string, text: string): void {
    this.#states.set(file, EditorState.create({ doc: text, extensions: this.#extensionsOf(file) }))
    if (file === this.#file) this.#view.setState(this.#states.get(file) as EditorState)
  }

  show(file: string): void {
    if (this.#file !== '') this.#states.set(this.#file, this.#view.state)
    this.#file = file
    this.#view.setState(this.#states.get(file) as EditorState)
  }

  /** Marks what is wrong, in all files. */
  mark(problems: readonly SourceProblem[]): void {
    for (const [file, before] of [...this.#states]) {
      const state = file === this.#file ? this.#view.state : before
      const diagnostics = problems
        .filter((problem) => problem.file === file)
        .map(({ line, column, message }) => {
          const { from, to } = state.doc.line(Math.min(Math.max(line, 1), state.doc.lines))
          return {
            from: Math.min(from + Math.max(column - 1, 0), to),
            to,
            severity: 'error' as const,
            message,
          }
        })
      const marked = setDiagnostics(state, diagnostics)
      if (file === this.#file) this.#view.dispatch(marked)
      else this.#states.set(file, state.update(marked).state)
    }
  }

  /** Leads to a line of the file that is shown. */
  goTo(line: number): void {
    const { from } = this.#view.state.doc.line(Math.min(Math.max(line, 1), this.#view.state.doc.lines))
    this.#view.dispatch({
      selection: { anchor: from },
      effects: EditorView.scrollIntoView(from, { y: 'center' }),
    })
    this.#view.focus()
  }

  destroy(): void {
    this.#view.destroy()
  }

  #extensionsOf(file: string): Extension[] {
    const { labelOf, describedBy, onChange, onRun } = this.#options
    const run = () => {
      onRun()
      return true
    }
    return [
      // The comments, texts and numbers of JSON are those of TypeScript.
      /\.(?:ts|json)$/.test(file) ? typescriptLanguage : StreamLanguage.define(properties),
      lineNumbers(),
      lintGutter(),
      history(),
      drawSelection(),
      indentOnInput(),
      bracketMatching(),
      syntaxHighlighting(colours),
      looks,
      // A phone has no room for a line of a program.
      EditorView.lineWrapping,
      keymap.of([{ key: 'Mod-Enter', run }, ...defaultKeymap, ...historyKeymap, indentWithTab]),
      EditorView.contentAttributes.of({
        'aria-label': labelOf(file),
        'aria-describedby': describedBy,
        autocapitalize: 'off',
        // It can be reached as it is, which axe-core does not know.
        tabindex: '0',
        spellcheck: 'false',
      }),
      EditorView.updateListener.of(({ docChanged, state }) => {
        if (docChanged) onChange(file, state.doc.toString())
      }),
    ]
  }
}
