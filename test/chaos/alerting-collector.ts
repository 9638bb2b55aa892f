/** A collector with scripted incidents as a process of its own: `<configuration as JSON>`. */
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { systemClock } from "../../cli/system.ts";
import { createCollector } from "../../collector/collector.ts";
import { type CollectorConfig, defaultCollectorConfig } from "../../collector/config.ts";
import { createScriptedDecider, say } from "./alerting-decider.ts";

const config = JSON.parse(process.argv[2] as string) as Partial<CollectorConfig>;
const collector = createCollector(
  { ...defaultCollectorConfig(), uiDir: "", port: 0, ...config },
  {
    ...{ clock: systemClock, log: silentLog, meter: createMeter(), disk: nodeDisk },
    decider: createScriptedDecider(),
  },
);
await collector.start();
say({ port: collector.port });
