import { expect, test } from "vitest";
import { createFigureBook, createFigureTeller } from "../../agent/workers/figures.ts";
import { createMeter, renderPrometheus } from "../../base/meter.ts";

/** The lines of a parent's metrics that tell of workers'. */
function check() {
  const parent = createMeter();
  const book = createFigureBook(parent);
  const workers = [0, 1].map((owner) => {
    const meter = createMeter();
    const tell = createFigureTeller(meter);
    let held = 0;
    meter.gauge("brunt_held", "What is held.", () => held);
    return {
      taken: meter.counter("brunt_taken_total", "What was taken.", { by: "x" }),
      hold: (count: number) => (held = count),
      tell: () => book.add(owner, tell()),
    };
  });
  const lines = (): string[] =>
    renderPrometheus(parent)
      .split("\n")
      .filter((line) => line.startsWith("brunt_"))
      .sort();
  return { workers, book, lines };
}

test("counters are summed, and told twice they count once; gauges are of those who live", () => {
  const { workers, book, lines } = check();
  for (const [at, worker] of workers.entries()) {
    worker.taken.add(10 + at);
    worker.hold(3 + at);
    worker.tell();
    worker.tell();
  }
  expect(lines()).toEqual(["brunt_held 7", 'brunt_taken_total{by="x"} 21']);
  workers[0]?.taken.add(5);
  workers[0]?.tell();
  book.forget(1);
  expect(lines()).toEqual(["brunt_held 3", 'brunt_taken_total{by="x"} 26']);
});
