/** An agent of several workers without their processes; messages are serialised as for those. */
import { deserialize, serialize } from "node:v8";
import { BatchMaker } from "../../agent/batch-maker.ts";
import { type AgentConfig, defaultAgentConfig } from "../../agent/config.ts";
import { Outlet } from "../../agent/outlet.ts";
import type { Ingested } from "../../agent/reduce/reducer-metrics.ts";
import { everySecond } from "../../agent/tick.ts";
import { createThresholdTable } from "../../agent/windows/threshold-table.ts";
import type { FromWorker, ToWorker } from "../../agent/workers/messages.ts";
import { WorkerMerger } from "../../agent/workers/worker-merger.ts";
import { WorkerPipeline } from "../../agent/workers/worker-pipeline.ts";
import { adoptionMs, lateShareOf, shareOf } from "../../agent/workers/worker-share.ts";
import { createVirtualClock, type VirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter, type Meter } from "../../base/meter.ts";
import type { Result } from "../../base/result.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import {
  advanceTo,
  createRecordingLink,
  fixtureStartMs,
  type RecordingLink,
  requestOf,
  type SpanLiteral,
  seededBytes,
} from "../agent/fixture.ts";

export interface Crew {
  readonly clock: VirtualClock;
  readonly meter: Meter;
  readonly link: RecordingLink;
  readonly merger: WorkerMerger;
  /** Gives a request to a worker, which takes it or not. */
  offer(worker: number, request: Uint8Array): Result<Ingested>;
  offerMetrics(worker: number, request: Uint8Array): Result<Ingested>;
  /** As `offer`, but fails when it is refused. */
  ingest(worker: number, ...spans: SpanLiteral[]): void;
  /** Moves time to `offsetMs` after the fixture's start and lets batches out. */
  moveTo(offsetMs: number): Promise<void>;
  /** From here on what this worker sends waits until it is let through. */
  holdBack(worker: number): void;
  letThrough(worker: number): void;
  /** The worker ends, and what it sent but was held back is lost. */
  kill(worker: number): number;
  shutdown(): Promise<void>;
}

interface Wire {
  readonly pipeline: WorkerPipeline;
  held: FromWorker[] | undefined;
}

/**
 * The crew of `count` workers that `startTestAgent` is one of one. News of thresholds takes
 * `newsMs` longer from each worker to the next.
 */
export function startCrew(count: number, config: Partial<AgentConfig> = {}, newsMs = 0): Crew {
  const clock = createVirtualClock(fixtureStartMs);
  const meter = createMeter();
  const link = createRecordingLink(clock);
  const whole = { ...defaultAgentConfig(), workers: count, ...config };
  const wires: Wire[] = [];
  const settings = {
    clock,
    meter,
    link,
    disk: nodeDisk,
    log: silentLog,
    randomBytes: seededBytes(7),
  };
  const outlet = new Outlet({
    config: whole,
    settings,
    onThresholds(thresholds) {
      const fromMs = adoptionMs(clock.nowMs());
      batches.windows.adopt(createThresholdTable(thresholds), fromMs);
      for (const [owner, { pipeline }] of wires.entries()) {
        const news = copied({ thresholds, fromMs });
        clock.after(owner * newsMs, () => pipeline.adopt(news));
      }
    },
    onCorrection: () => {},
  });
  const tableKey = settings.randomBytes(16);
  const batches = new BatchMaker({
    ...{ config: whole, clock, meter, tableKey },
    deliver: (window) => outlet.deliver(window),
    onTick: (told) => outlet.tick(told),
    isAway: () => outlet.isAway(),
    takeRejected: () => merger.takeRejected(),
  });
  const merger = new WorkerMerger(batches, meter);
  for (let owner = 0; owner < count; owner++) {
    const send = (message: FromWorker): void => {
      const copy = copied(message);
      if (wire.held === undefined) merger.receive(owner, copy);
      else wire.held.push(copy);
    };
    const start = {
      type: "start" as const,
      config: shareOf(whole),
      hashKey: outlet.hashKey,
      tableKey,
      epochMs: batches.epochMs,
      lateSegmentsMax: lateShareOf(whole),
      thresholds: [],
      correctionMs: 0,
      degraded: undefined,
    };
    const pipeline = new WorkerPipeline({
      start: copied(start),
      clock,
      meter: createMeter(),
      send,
    });
    const wire: Wire = { pipeline, held: undefined };
    wires.push(wire);
    merger.join({ owner, send: (message) => follow(pipeline, copied(message)) });
  }
  const opened = outlet.open();
  const cancelTick = everySecond(clock, () => {
    // A turn that is not over stands for this one too.
    if (merger.late.length === 0) void merger.seal(clock.nowMs(), { all: false });
  });
  const wireOf = (worker: number): Wire => wires[worker % count] as Wire;
  const offer = (worker: number, request: Uint8Array): Result<Ingested> =>
    wireOf(worker).pipeline.ingest(request);
  return {
    clock,
    meter,
    link,
    merger,
    offer,
    offerMetrics: (worker, request) => wireOf(worker).pipeline.ingestMetrics(request),
    ingest(worker, ...spans) {
      const result = offer(worker, requestOf(spans));
      if (!result.ok) throw new Error(result.error.message);
    },
    async moveTo(offsetMs) {
      await opened;
      await advanceTo(clock, fixtureStartMs + offsetMs);
      await outlet.flush();
    },
    holdBack(worker) {
      wireOf(worker).held ??= [];
    },
    letThrough(worker) {
      const wire = wireOf(worker);
      const held = wire.held ?? [];
      wire.held = undefined;
      for (const message of held) merger.receive(worker, message);
    },
    kill: (worker) => merger.leave(worker),
    async shutdown() {
      cancelTick();
      await merger.seal(clock.nowMs(), { all: true });
      await outlet.close();
    },
  };
}

function copied<T>(message: T): T {
  return deserialize(serialize(message));
}

function follow(pipeline: WorkerPipeline, message: ToWorker): void {
  if (message.type === "seal") pipeline.seal(message);
  if (message.type === "taken") pipeline.taken(message.rows);
  if (message.type === "adopt") pipeline.adopt(message);
}
