/** What the user chose, kept in this browser or app: theme, namespaces, columns, sizes. */
import { defineStore } from 'pinia'
import { ref, watch } from 'vue'

export type Theme = 'dark' | 'light' | 'system'
export interface ListPrefs {
  sort?: { column: string; descending: boolean }
  hidden?: string[]
  shown?: string[]
}

const key = 'quarterdeck-settings'
interface Saved {
  theme?: Theme
  namespaces?: string[]
  lists?: Record<string, ListPrefs>
  dockHeight?: number
  drawerWidth?: number
}

function load(): Saved {
  try {
    return JSON.parse(localStorage.getItem(key) ?? '{}') as Saved
  } catch {
    return {}
  }
}

export const useSettings = defineStore('settings', () => {
  const saved = load()
  const theme = ref<Theme>(saved.theme ?? 'system')
  /** Empty: all namespaces. */
  const namespaces = ref<string[]>(saved.namespaces ?? [])
  const lists = ref<Record<string, ListPrefs>>(saved.lists ?? {})
  const dockHeight = ref<number | undefined>(saved.dockHeight)
  const drawerWidth = ref<number | undefined>(saved.drawerWidth)

  const system = matchMedia('(prefers-color-scheme: light)')
  const dark = ref(true)
  const paint = (): void => {
    dark.value = theme.value === 'dark' || (theme.value === 'system' && !system.matches)
    document.documentElement.dataset['theme'] = dark.value ? 'dark' : 'light'
  }
  system.addEventListener('change', paint)
  watch(theme, paint, { immediate: true })
  watch(
    [theme, namespaces, lists, dockHeight, drawerWidth],
    () => {
      localStorage.setItem(
        key,
        JSON.stringify({ theme: theme.value, namespaces: namespaces.value, lists: lists.value, dockHeight: dockHeight.value, drawerWidth: drawerWidth.value }),
      )
    },
    { deep: true },
  )

  function listPrefs(resource: string): ListPrefs {
    return lists.value[resource] ?? {}
  }
  function setListPrefs(resource: string, prefs: ListPrefs): void {
    lists.value = { ...lists.value, [resource]: { ...lists.value[resource], ...prefs } }
  }
  return { theme, dark, namespaces, dockHeight, drawerWidth, listPrefs, setListPrefs }
})
