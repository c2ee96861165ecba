/** Keys of the whole window. Nothing is taken away from inputs, editors and terminals. */
import { useAsk } from '../stores/ask.ts'
import { useDock } from '../stores/dock.ts'
import { useDrawer } from '../stores/drawer.ts'

export const keySheet: readonly { keys: string; text: string }[] = [
  { keys: 'ctrl K', text: 'Command palette: actions, kinds and objects' },
  { keys: ':', text: 'Go to a kind, as in :pods' },
  { keys: '/', text: 'Filter the list' },
  { keys: '↑ ↓ j k', text: 'Move in the list' },
  { keys: 'Enter d', text: 'Details' },
  { keys: 'Space', text: 'Select the row' },
  { keys: 'l', text: 'Logs' },
  { keys: 's', text: 'Shell' },
  { keys: 'y', text: 'YAML' },
  { keys: 'r', text: 'Restart a workload' },
  { keys: 'ctrl D', text: 'Delete' },
  { keys: 'Esc', text: 'Close details, clear the filter' },
  { keys: 'ctrl `', text: 'Show or hide the dock' },
  { keys: '?', text: 'This sheet' },
]

function isTyping(event: KeyboardEvent): boolean {
  const target = event.target
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      (['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName) && !(target instanceof HTMLInputElement && target.type === 'checkbox')) ||
      target.closest('.xterm, .cm-editor, [role="dialog"]') !== null)
  )
}

export function installKeys(palette: (prefix?: string) => void): () => void {
  function onKey(event: KeyboardEvent): void {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault()
      palette()
      return
    }
    if (event.ctrlKey && event.key === '`') {
      event.preventDefault()
      useDock().open = !useDock().open
      return
    }
    if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === '/') {
      const box = document.querySelector<HTMLInputElement>('main [data-filter]')
      if (box) {
        event.preventDefault()
        box.focus()
        box.select()
      }
    } else if (event.key === ':') {
      event.preventDefault()
      palette(':')
    } else if (event.key === '?') {
      event.preventDefault()
      useAsk().ask({ type: 'keys' })
    } else if (event.key === 'Escape' && useDrawer().current) {
      event.preventDefault()
      useDrawer().close()
    }
  }
  window.addEventListener('keydown', onKey)
  return () => {
    window.removeEventListener('keydown', onKey)
  }
}
