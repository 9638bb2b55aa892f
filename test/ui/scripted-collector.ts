/** A real collector with the built page, whose decider says what the test wants said. */

import { createVirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { createCollector } from "../../collector/collector.ts";
import { defaultCollectorConfig } from "../../collector/config.ts";
import type { Decider, IncidentEvent, IncidentEventType } from "../../collector/decide.ts";
import type { IncidentDetail, RootCauseGraph } from "../../wire/api-types.ts";
import { bytesOf, startMs, windowMs } from "../collector/fixture.ts";

export interface ScriptedCollector {
  readonly port: number;
  readonly url: string;
  /** Closes a window in which this happened, as one event of the stream. */
  say(type: IncidentEventType, detail: IncidentDetail): Promise<void>;
  shutdown(): Promise<void>;
}

interface ScriptOptions {
  readonly dataDir: string;
  readonly uiDir: string;
  /** 0 picks a free one; a restart takes the earlier one again. */
  readonly port: number;
  /** Windows that earlier runs on this directory have closed. */
  readonly windowsBefore?: number;
}

export async function startScriptedCollector(options: ScriptOptions): Promise<ScriptedCollector> {
  const { dataDir, uiDir, port, windowsBefore = 0 } = options;
  const clock = createVirtualClock(startMs + windowsBefore * windowMs);
  const script = createScript();
  const collector = createCollector(
    { ...defaultCollectorConfig(), dataDir, uiDir, port },
    { clock, log: silentLog, meter: createMeter(), decider: script.decider, disk: nodeDisk },
  );
  await collector.start();
  let window = windowsBefore;
  return {
    port: collector.port,
    url: `http://127.0.0.1:${collector.port}`,
    async say(type, detail) {
      script.next(type, detail);
      await collector.link.send(bytesOf({ seq: window + 1, window, spans: [{ customer: 1 }] }));
      window += 1;
      for (let step = 0; step < 30 && !script.isSaid(); step++) {
        clock.advance(1_000);
        await collector.settled();
      }
    },
    shutdown: () => collector.shutdown(),
  };
}

function createScript() {
  let details = new Map<string, IncidentDetail>();
  const waiting: IncidentEvent[] = [];
  const decider: Decider = {
    decide() {
      const events = waiting.splice(0);
      return { anomalies: events.length, events };
    },
    incidents: () => [...details.values()],
    incident: (id) => details.get(id),
    graph: (): RootCauseGraph => ({ nodes: [], edges: [], hops: [] }),
    thresholds: () => ({ revision: 0, items: [] }),
    snapshot: () => details,
    restore: (snapshot) => {
      details = new Map(snapshot as Map<string, IncidentDetail>);
    },
  };
  return {
    decider,
    next(type: IncidentEventType, detail: IncidentDetail): void {
      const { graph: _, anomalies: __, ...incident } = detail;
      details.set(detail.id, detail);
      waiting.push({ type, incident });
    },
    isSaid: () => waiting.length === 0,
  };
}
