/** CodeMirror with the window's tokens; the one file that knows its packages. */
import { closeBrackets, closeBracketsKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { yaml } from '@codemirror/lang-yaml'
import { HighlightStyle, bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language'
import { linter } from '@codemirror/lint'
import { MergeView, unifiedMergeView } from '@codemirror/merge'
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search'
import { EditorState } from '@codemirror/state'
import type { Extension } from '@codemirror/state'
import { EditorView, drawSelection, highlightActiveLine, highlightSpecialChars, keymap, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { yamlFaults } from '../../../src-main/api/yaml.ts'

const look = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'var(--ground)', color: 'var(--ink)', fontSize: 'var(--text-s)' },
  '.cm-scroller': { fontFamily: 'var(--font-mono)', lineHeight: 'var(--leading)' },
  '.cm-content': { caretColor: 'var(--accent)' },
  '.cm-cursor': { borderLeftColor: 'var(--accent)' },
  '.cm-gutters': { backgroundColor: 'var(--ground)', color: 'var(--ink-faint)', border: 'none' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--hover) 60%, transparent)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--line-strong) !important' },
  '.cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--ink)' },
  '.cm-tooltip': { backgroundColor: 'var(--surface)', border: 'var(--line-width) solid var(--line-strong)', color: 'var(--ink)' },
  '.cm-changedLine': { backgroundColor: 'color-mix(in srgb, var(--accent-soft) 70%, transparent)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-collapsedLines': { background: 'var(--raised)', color: 'var(--ink-soft)', fontFamily: 'var(--font)', padding: '0 var(--space-2)', cursor: 'default' },
  '.cm-collapsedLines::before, .cm-collapsedLines::after': { content: '"···" !important' },
  '&.cm-merge-a .cm-changedLine, .cm-deletedChunk': { backgroundColor: 'var(--bad-soft) !important' },
  '&.cm-merge-b .cm-changedLine, .cm-insertedLine': { backgroundColor: 'color-mix(in srgb, var(--ok) 14%, transparent) !important' },
  '&.cm-merge-a .cm-changedText, .cm-deletedChunk .cm-deletedText': { background: 'color-mix(in srgb, var(--bad) 35%, transparent) !important' },
  '&.cm-merge-b .cm-changedText': { background: 'color-mix(in srgb, var(--ok) 35%, transparent) !important' },
})
const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--busy)' },
  { tag: tags.string, color: 'var(--ok)' },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: 'var(--accent)' },
  { tag: tags.comment, color: 'var(--ink-faint)' },
  { tag: [tags.meta, tags.punctuation, tags.separator], color: 'var(--ink-soft)' },
])

function basics(readOnly: boolean): Extension[] {
  return [
    lineNumbers(),
    // What cannot be seen, or turns the text's direction, is shown as a sign.
    highlightSpecialChars({ addSpecialChars: /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g }),
    foldGutter(),
    history(),
    drawSelection(),
    indentOnInput(),
    bracketMatching(),
    closeBrackets(),
    highlightActiveLine(),
    highlightSelectionMatches(),
    search({ top: true }),
    indentUnit.of('  '),
    yaml(),
    look,
    syntaxHighlighting(colours),
    EditorState.readOnly.of(readOnly),
    EditorState.tabSize.of(2),
    EditorView.contentAttributes.of({ 'aria-label': 'YAML' }),
    keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...searchKeymap, ...foldKeymap, indentWithTab]),
  ]
}

export interface YamlEditor {
  text(): string
  set(text: string): void
  destroy(): void
  focus(): void
}

export function createYamlEditor(parent: HTMLElement, text: string, options: { readOnly: boolean; onChange(text: string): void; onSave(): void }): YamlEditor {
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        keymap.of([
          {
            key: 'Mod-s',
            run: () => {
              options.onSave()
              return true
            },
          },
        ]),
        ...basics(options.readOnly),
        linter(view => yamlFaults(view.state.doc.toString()).map(fault => ({ ...fault, severity: 'error' as const }))),
        EditorView.updateListener.of(update => {
          if (update.docChanged) options.onChange(update.state.doc.toString())
        }),
      ],
    }),
  })
  return {
    text: () => view.state.doc.toString(),
    set(next) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } })
    },
    destroy: () => {
      view.destroy()
    },
    focus: () => {
      view.focus()
    },
  }
}

/** Below this width, in px, two columns of YAML are not readable. */
const sideBySidePx = 720

/** Two texts with their differences marked: side by side, or in one column where there is no room. */
export function createDiff(parent: HTMLElement, before: string, after: string): { destroy(): void } {
  const collapseUnchanged = { margin: 3, minSize: 6 }
  if (parent.clientWidth < sideBySidePx)
    return new EditorView({ parent, doc: after, extensions: [...basics(true), unifiedMergeView({ original: before, mergeControls: false, collapseUnchanged })] })
  return new MergeView({ parent, a: { doc: before, extensions: basics(true) }, b: { doc: after, extensions: basics(true) }, collapseUnchanged })
}
