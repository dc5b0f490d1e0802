import { defineConfig } from 'vite';

// React's "use client" and the like mean nothing to a page without a server side.
const checks = { moduleLevelDirective: false };

// The server embeds dist and serves it flat below /playground/. File names
// carry no hashes, so a rebuild changes the contents of files, never the list.
export default defineConfig({
  base: '/playground/',
  resolve: {
    alias: {
      // Two names of one parser: GraphiQL imports both, and both would be bundled.
      'prettier/parser-graphql': 'prettier/plugins/graphql',
    },
  },
  build: {
    assetsDir: '',
    target: 'es2022',
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4096,
    license: { fileName: 'licenses.md' },
    rolldownOptions: {
      checks,
      output: {
        entryFileNames: 'playground.js',
        chunkFileNames: '[name].js',
        assetFileNames: '[name][extname]',
        // The formatter is loaded on its first use, all else with the page.
        codeSplitting: {
          groups: [
            { name: 'monaco', test: /node_modules[\\/]monaco-/ },
            { name: 'prettier', test: /node_modules[\\/]prettier/ },
          ],
        },
      },
    },
  },
  worker: {
    rolldownOptions: {
      checks,
      output: {
        // Without a prefix of their own, workers and chunks of the page that
        // share a name would overwrite each other.
        entryFileNames: 'worker-[name].js',
      },
    },
  },
});
