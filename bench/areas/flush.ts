/** How long an agent stands still to seal a window and encode its batch, by keys. */
import { createPipelineUnderTest } from "../in-memory-agent.ts";
import type { Figure, Table } from "../table.ts";
import { median, nanosecondsOf, runsDefault } from "../timing.ts";
import { createTraffic } from "../traffic/traffic.ts";

const keyCounts = [1_000, 10_000, 75_000];
const spansPerKey = 4;
const batch = 500;
/** The end of a window and 5 s of grace. */
const sealAfterMs = 15_000;

export async function flushArea(): Promise<Table> {
  const figures = keyCounts.flatMap(figuresOf);
  return { area: "flush", title: "Sealing a window", figures };
}

function figuresOf(keys: number): Figure[] {
  const traffic = createTraffic({ seed: 3 });
  const templates = Array.from({ length: Math.ceil(keys / batch) }, (_, at) =>
    traffic.keys(at * batch, Math.min(batch, keys - at * batch)),
  );
  const max = Math.min(100_000, Math.ceil(keys / 0.75));
  const agent = createPipelineUnderTest({ keysMax: max, operationsMax: max });
  const taken: number[] = [];
  let salt = 1;
  for (let run = 0; run <= runsDefault; run++) {
    for (let repetition = 0; repetition < spansPerKey; repetition++) {
      for (const template of templates) {
        template.stamp(Math.imul(salt++, 0x9e3779b1), agent.nowMs());
        agent.ingest(template.bytes, template.spans);
      }
    }
    const ns = nanosecondsOf(() => agent.advance(sealAfterMs));
    if (run > 0) taken.push(ns / 1e6);
    agent.nextWindow();
  }
  const ms = median(taken);
  const label = keys.toLocaleString("en-US");
  return [
    { metric: `seal_${keys}_ms`, label: `${label} keys`, value: ms, unit: "ms" },
    {
      metric: `seal_${keys}_us_key`,
      label: `${label} keys, each`,
      value: (ms * 1e3) / keys,
      unit: "us/key",
    },
  ];
}
