import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** What other people's code in the built files is licensed under, as their licences ask for: `licences.txt`. */
function licences(): { collect: Plugin; write: Plugin } {
  const packages = new Set<string>();
  const collect: Plugin = {
    name: "collect-licences",
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle))
        if (chunk.type === "chunk")
          for (const id of Object.keys(chunk.modules)) {
            const found = /^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id.replaceAll("\\", "/"));
            if (found) packages.add(found[0]);
          }
    },
  };
  const write: Plugin = {
    ...collect,
    name: "write-licences",
    generateBundle(options, bundle, ...rest) {
      (collect.generateBundle as (...all: unknown[]) => void).call(this, options, bundle, ...rest);
      this.emitFile({ type: "asset", fileName: "licences.txt", source: [...packages].sort().map(licence).join("\n\n") });
    },
  };
  return { collect, write };
}

function licence(folder: string): string {
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf-8")) as { name: string; version: string; license: string };
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf-8").trim() : `(${about.license})`;
  return `${about.name} ${about.version}\n\n${text}\n`;
}

/** The page as it is sent: its lines are for who writes it. */
const terse: Plugin = { name: "terse-page", enforce: "post", transformIndexHtml: (html) => html.replace(/\n\s*/g, "") };

const { collect, write } = licences();

export default defineConfig({
  plugins: [react(), write, terse],
  worker: { plugins: () => [collect], format: "es" },
  build: {
    outDir: "../src/stepwell/ui/static",
    emptyOutDir: true,
    // The policy of the page allows files of its own server only: nothing is put into other files as data:.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    sourcemap: false,
    reportCompressedSize: false,
  },
  server: {
    // `npm run dev` beside a `stepwell ui --port 8765`, whose cookie counts for every port of the host.
    host: "127.0.0.1",
    proxy: Object.fromEntries(["/api", "/raw"].map((path) => [path, { target: "http://127.0.0.1:8765", changeOrigin: true }])),
  },
});
