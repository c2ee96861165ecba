/** Builds main, preload and window. `npm start` uses the window's part alone (src-main/server/start.ts). */
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'electron-vite'
import { windowKinds } from './src-main/server/window-kinds.ts'

export default defineConfig({
  main: { build: { outDir: 'out/main', externalizeDeps: true, rollupOptions: { input: { main: 'src-main/electron/main.ts' }, output: { format: 'es' } } } },
  // A sandboxed preload may only be CommonJS in one file.
  preload: {
    build: {
      outDir: 'out/preload',
      externalizeDeps: false,
      rollupOptions: { input: { preload: 'src-main/electron/preload.ts' }, output: { format: 'cjs', entryFileNames: '[name].cjs' } },
    },
  },
  renderer: {
    root: 'src-renderer',
    base: './',
    plugins: [vue(), windowKinds()],
    build: { outDir: 'out/renderer', emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, minify: true, rollupOptions: { input: 'src-renderer/index.html' } },
  },
})
