/** The page in a real Chromium, served by a real collector. */
import { rmSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { temporaryDirectory } from "../collector/temporary.ts";
import { buildUi, chromiumPath, launchChromium, openPage } from "./browser.ts";
import { detailOf } from "./sample-incidents.ts";
import { type ScriptedCollector, startScriptedCollector } from "./scripted-collector.ts";

if (chromiumPath === undefined) {
  process.stderr.write("no chromium on this machine: the page's tests are skipped\n");
}

const setUpMs = 120_000;

describe.skipIf(chromiumPath === undefined)("the page", () => {
  let browser: Browser;
  let uiDir = "";
  const running = new Set<ScriptedCollector>();

  beforeAll(async () => {
    uiDir = await buildUi();
    browser = await launchChromium();
  }, setUpMs);

  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await Promise.all([...running].map((collector) => collector.shutdown()));
    running.clear();
  });

  afterAll(async () => {
    await browser.close();
    rmSync(uiDir, { recursive: true, force: true });
  }, setUpMs);

  async function collectorAt(
    dataDir: string,
    again: { port?: number; windowsBefore?: number } = {},
  ): Promise<ScriptedCollector> {
    const collector = await startScriptedCollector({ dataDir, uiDir, port: 0, ...again });
    running.add(collector);
    return collector;
  }

  async function stop(collector: ScriptedCollector): Promise<void> {
    running.delete(collector);
    await collector.shutdown();
  }

  const cardIds = (page: Page): Promise<string[]> =>
    page
      .locator("[data-incident]")
      .evaluateAll((cards: { getAttribute(name: string): string }[]) =>
        cards.map((card) => card.getAttribute("data-incident")),
      );
  const isLive = (page: Page) => page.locator(".connection-live").waitFor();

  test("with nothing to show it says what to do next", async () => {
    const { url } = await collectorAt(temporaryDirectory());
    const { page, faults } = await openPage(browser, url);
    await isLive(page);
    await page.getByText("Nothing has arrived yet").waitFor();
    await page.getByText("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318").waitFor();
    expect(faults).toEqual([]);
  });

  test("incidents appear by themselves, most customers first, and move when they resolve", async () => {
    const collector = await collectorAt(temporaryDirectory());
    const { page, faults } = await openPage(browser, collector.url);
    await isLive(page);
    await page.evaluate("globalThis.loadedOnce = true");
    await collector.say("incident.opened", detailOf("few", { customers: 40 }));
    await page.locator('[data-incident="few"]').waitFor();
    await collector.say("incident.opened", detailOf("most", { customers: 1_250, cause: "search" }));
    await page.locator('[data-incident="most"]').waitFor();
    const gate = "held back: 1 affected, fewer than 3 customers";
    await collector.say("incident.opened", detailOf("one", { customers: 1, page: false, gate }));
    await page.locator('[data-incident="one"]').waitFor();
    expect(await cardIds(page)).toEqual(["most", "few", "one"]);
    const card = page.locator('[data-incident="most"]');
    await card.getByText("1,250", { exact: true }).waitFor();
    await card.getByText("±25").waitFor();
    await card.getByText("search fails").waitFor();
    await card.getByText("eu-west-1").waitFor();
    await card.getByText("confirmed").waitFor();
    await page.locator('[data-incident="one"]').getByText(gate).waitFor();
    await collector.say("incident.updated", detailOf("few", { customers: 3_000 }));
    await page.locator('[data-incident="few"]').getByText("3,000", { exact: true }).waitFor();
    expect(await cardIds(page)).toEqual(["few", "most", "one"]);
    const over = detailOf("few", { customers: 3_000 });
    const resolvedAtMs = over.startedAtMs + 90_000;
    await collector.say("incident.resolved", { ...over, status: "resolved", resolvedAtMs });
    await page.getByRole("heading", { name: "Resolved 1" }).waitFor();
    expect(await cardIds(page)).toEqual(["most", "one", "few"]);
    await page.locator('[data-incident="few"]').getByText("lasted 1 min").waitFor();
    expect(await page.evaluate("globalThis.loadedOnce")).toBe(true);
    expect(faults).toEqual([]);
  });

  test("a click shows the root-cause graph, its evidence and the tables, and follows updates", async () => {
    const collector = await collectorAt(temporaryDirectory());
    await collector.say("incident.opened", detailOf("inc", { customers: 118 }));
    const { page, faults } = await openPage(browser, collector.url);
    await page.locator('[data-incident="inc"]').click();
    await page.getByRole("heading", { name: "118 customers: payments fails" }).waitFor();
    const columns = await page.locator("svg [data-node]").evaluateAll(
      (
        nodes: {
          getAttribute(name: string): string;
          getBoundingClientRect(): { left: number };
        }[],
      ) =>
        Object.fromEntries(
          nodes.map((node) => [node.getAttribute("data-node"), node.getBoundingClientRect().left]),
        ) as Record<string, number>,
    );
    expect(Object.keys(columns)).toHaveLength(7);
    expect(columns.storefront).toBeLessThan(columns.checkout as number);
    expect(columns.checkout).toBeLessThan(columns.payments as number);
    expect(await page.locator(".edge-path").count()).toBe(2);
    expect(await page.locator("[data-node].node-cause").getAttribute("data-node")).toBe("payments");
    await page.getByText("checkout passes failures on without failing by itself").waitFor();
    await page.getByText("<1e-15").first().waitFor();
    await page.getByRole("cell", { name: "POST /checkout" }).waitFor();
    expect(await page.evaluate("location.hash")).toBe("#/incidents/inc");
    const changed = detailOf("inc", { customers: 140, cause: "ledger", title: "it is the ledger" });
    const asOfMs = changed.asOfMs + 10_000;
    await collector.say("incident.updated", { ...changed, asOfMs });
    await page.getByRole("heading", { name: "it is the ledger" }).waitFor();
    await page.locator('.node-cause[data-node="ledger"]').waitFor();
    await page.goBack();
    await page.getByText("Nothing has arrived yet").waitFor();
    expect(faults).toEqual([]);
  });

  test("markup in telemetry is shown as text and runs nothing", async () => {
    const text = `<img src=x onerror="globalThis.ran=1"><script>globalThis.ran=2</script>`;
    const collector = await collectorAt(temporaryDirectory());
    const gate = `javascript:globalThis.ran=3 ${text}`;
    const hostile = detailOf("hostile", { customers: 2, cause: text, text, page: false, gate });
    await collector.say("incident.opened", hostile);
    const { page, faults } = await openPage(browser, collector.url);
    await page.locator('[data-incident="hostile"]').click();
    await page.getByRole("heading", { name: text }).first().waitFor();
    await page.locator("[data-node].node-cause").waitFor();
    await page.getByRole("cell", { name: text }).first().waitFor();
    expect(await page.locator("#root img, #root script").count()).toBe(0);
    expect(await page.evaluate("globalThis.ran")).toBeUndefined();
    expect(faults).toEqual([]);
  });

  test("the policy is on: inline script is refused and noticed", async () => {
    const { url } = await collectorAt(temporaryDirectory());
    const { page, faults } = await openPage(browser, url);
    await isLive(page);
    await page.evaluate(`{
      const script = document.createElement("script");
      script.textContent = "globalThis.ran = 1";
      document.body.append(script);
    }`);
    expect(await page.evaluate("globalThis.ran")).toBeUndefined();
    await expect.poll(() => faults.join()).toMatch(/policy violation: script-src/);
  });

  test("after a restart it comes back by itself and misses nothing", async () => {
    const dataDir = temporaryDirectory();
    const first = await collectorAt(dataDir);
    const { page, faults } = await openPage(browser, first.url);
    await isLive(page);
    await first.say("incident.opened", detailOf("before", { customers: 10 }));
    await page.locator('[data-incident="before"]').waitFor();
    await stop(first);
    await page.locator(".connection-reconnecting").waitFor();
    expect(await cardIds(page)).toEqual(["before"]);
    const second = await collectorAt(dataDir, { port: first.port, windowsBefore: 1 });
    await second.say("incident.opened", detailOf("after", { customers: 20 }));
    await page.locator('[data-incident="after"]').waitFor();
    await isLive(page);
    expect(await cardIds(page)).toEqual(["after", "before"]);
    expect(await page.getByText(/gap of/).count()).toBe(0);
    expect(faults).toEqual([]);
  });

  test("a collector that lost its store shows a gap, and what it knows now", async () => {
    const first = await collectorAt(temporaryDirectory());
    const { page, faults } = await openPage(browser, first.url);
    await isLive(page);
    await first.say("incident.opened", detailOf("lost", { customers: 10 }));
    await page.locator('[data-incident="lost"]').waitFor();
    await stop(first);
    await page.locator(".connection-reconnecting").waitFor();
    const dataDir = temporaryDirectory();
    const elsewhere = await collectorAt(dataDir);
    await elsewhere.say("incident.opened", detailOf("new", { customers: 20 }));
    await stop(elsewhere);
    await collectorAt(dataDir, { port: first.port, windowsBefore: 1 });
    await page.locator('[data-incident="new"]').waitFor();
    await isLive(page);
    expect(await cardIds(page)).toEqual(["new"]);
    await page.getByText(/gap of \d+ events/).waitFor();
    await page.getByRole("button", { name: "dismiss" }).click();
    expect(await page.getByText(/gap of/).count()).toBe(0);
    expect(faults).toEqual([]);
  });

  test.each([
    [1_280, "light"],
    [390, "light"],
    [390, "dark"],
  ] as const)("at %i pixels, %s, nothing is wider than the page", async (width, colorScheme) => {
    const collector = await collectorAt(temporaryDirectory());
    const long = "a-service-name-that-somebody-made-up-and-that-does-not-end".repeat(2);
    await collector.say("incident.opened", detailOf("inc", { customers: 118, cause: long }));
    const viewport = { width, height: 844 };
    const { page, faults } = await openPage(browser, collector.url, { viewport, colorScheme });
    const overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    await page.locator('[data-incident="inc"]').waitFor();
    expect(await page.evaluate(overflow)).toBe(0);
    await page.locator('[data-incident="inc"]').click();
    await page.locator("[data-node].node-cause").waitFor();
    expect(await page.evaluate(overflow)).toBe(0);
    expect(faults).toEqual([]);
  });

  test("it can be used by keyboard and heard", async () => {
    const collector = await collectorAt(temporaryDirectory());
    const { page } = await openPage(browser, collector.url);
    await isLive(page);
    await collector.say("incident.opened", detailOf("inc", { title: "118 customers: it fails" }));
    await page
      .locator('[aria-live="polite"]', { hasText: "new incident: 118 customers" })
      .waitFor();
    await page.locator('[data-incident="inc"]').focus();
    await page.keyboard.press("Enter");
    await page
      .getByRole("img", { name: "root-cause graph: storefront → checkout → payments" })
      .waitFor();
    expect(await page.getByRole("heading", { level: 1 }).count()).toBe(1);
  });
});
