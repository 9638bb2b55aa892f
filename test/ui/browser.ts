/** The Chromium of this machine, and the page as `vite build` makes it. */
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { build } from "vite";

const candidates = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
];

export const chromiumPath = candidates.find((path) => existsSync(path));

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath as string,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Builds the page as `npm run build` does, into a directory of its own. */
export async function buildUi(): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), "brunt-ui-"));
  await build({
    root: fileURLToPath(new URL("../../ui", import.meta.url)),
    logLevel: "warn",
    build: { outDir, emptyOutDir: true },
  });
  return outDir;
}

export interface WatchedPage {
  readonly page: Page;
  /** Everything that must not happen: script errors and violations of the page's policy. */
  readonly faults: string[];
}

export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(`script error: ${error.message}`));
  page.on("console", (message) => {
    // A server that is away, or not ready yet, is what a test wants; anything else is a fault.
    const isAway = /ERR_CONNECTION|status of 503|WebSocket connection to/.test(message.text());
    if (message.type() === "error" && !isAway) faults.push(message.text());
  });
  await page.exposeFunction("recordViolation", (directive: string) => {
    faults.push(`policy violation: ${directive}`);
  });
  await page.addInitScript(
    `addEventListener("securitypolicyviolation", (e) => recordViolation(e.violatedDirective))`,
  );
  await page.goto(url);
  return { page, faults };
}
