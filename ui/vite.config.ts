import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** Where `vite` in development finds an API: a collector on its default port. */
const collectorUrl = "http://127.0.0.1:4319";

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  build: {
    outDir: fileURLToPath(new URL("../dist/ui", import.meta.url)),
    emptyOutDir: true,
    target: "es2023",
    // The page's policy is `default-src 'self'`: nothing may be inlined as data or script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: { "/api": { target: collectorUrl, ws: true, changeOrigin: true } },
  },
});
