/**
 * How the four pages are bundled: one HTML entry each, hashed assets under `/assets/`. The gateway
 * serves `dist` and maps `/watch/{id}` and its siblings to the entries.
 */
import { defineConfig } from 'vite';

const page = (name: string): string =>
  decodeURIComponent(new URL(`./${name}.html`, import.meta.url).pathname);

const config = defineConfig({
  base: '/',
  build: {
    outDir: 'dist',
    assetsDir: 'assets',
    emptyOutDir: true,
    target: 'es2022',
    // hls.js and dash.js are each one module larger than Vite's default warning; both are loaded
    // only by the page that plays with them.
    chunkSizeWarningLimit: 1200,
    rolldownOptions: {
      input: {
        index: page('index'),
        watch: page('watch'),
        present: page('present'),
        operate: page('operate'),
      },
    },
  },
});

// Vite reads the default export of its configuration; nothing else of ours has one.
export { config as default };
