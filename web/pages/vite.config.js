import { defineConfig } from 'vite'
import { fileURLToPath } from 'node:url'

const pagePath = name => fileURLToPath(new URL(name, import.meta.url))

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  resolve: { alias: { onair: pagePath('../sdk/src/index.ts') } },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    modulePreload: { polyfill: false }, // its inline script is forbidden by the pages' policy
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000, // hls.js, which is loaded on demand
    rollupOptions: { input: { index: pagePath('index.html'), studio: pagePath('studio.html'), console: pagePath('console.html') } },
  },
  server: { proxy: { '/v1': { target: 'http://127.0.0.1:8080', ws: true } } },
})
