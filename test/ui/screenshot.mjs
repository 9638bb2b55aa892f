/**
 * A picture of an incident on a running page, for the README:
 *
 *   node test/ui/screenshot.mjs http://127.0.0.1:4319 docs/images/incident.png [light|dark] [width]
 *
 * Opens the incident with the most customers and waits for its graph. Plain JavaScript, so that
 * every Node this project supports runs it as it is.
 */
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { chromium } from "playwright-core";

const [url, path, colorScheme = "light", width = "1280"] = process.argv.slice(2);
const executablePath = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
].find((candidate) => existsSync(candidate));
if (url === undefined || path === undefined || executablePath === undefined) {
  process.stderr.write("usage: screenshot.mjs <url> <output.png> [light|dark]; needs chromium\n");
  process.exit(64);
}
const browser = await chromium.launch({
  executablePath,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
});
try {
  const viewport = { width: Number(width), height: 1160 };
  const page = await browser.newPage({ viewport, colorScheme, deviceScaleFactor: 2 });
  await page.goto(url);
  await page.locator("[data-incident]").first().click();
  await page.locator("[data-node].node-cause").waitFor();
  mkdirSync(dirname(path), { recursive: true });
  await page.screenshot({ path });
} finally {
  await browser.close();
}
