/** A worker process, from its first message to its last. */
import type { Clock } from "../../base/clock.ts";
import { OperationalError } from "../../base/errors.ts";
import { createMeter } from "../../base/meter.ts";
import { openReceivers, type Receivers } from "../receivers/open-receivers.ts";
import type { Ingest } from "../receivers/signals.ts";
import { createFigureTeller } from "./figures.ts";
import type { Figure, FromWorker, StartMessage, ToWorker } from "./messages.ts";
import { WorkerPipeline } from "./worker-pipeline.ts";

/** The way to the parent. */
export interface ParentChannel {
  onMessage(take: (message: ToWorker) => void): void;
  send(message: FromWorker): void;
}

interface Worker {
  readonly pipeline: WorkerPipeline;
  readonly receivers: Receivers;
  tellFigures(): Figure[];
  /** GET /metrics that wait for the parent's text, by question. */
  readonly waiting: Map<number, (text: string) => void>;
  /** As the parent said last. */
  readonly state: { degraded: string | undefined };
}

export function runWorker(channel: ParentChannel, clock: Clock): void {
  let started: Promise<Worker | undefined> = Promise.resolve(undefined);
  channel.onMessage((message) => {
    if (message.type === "start") {
      started = start(message, channel, clock);
      return;
    }
    // In the order sent, also those that come while the ports are being opened.
    void started.then((worker) => {
      if (worker !== undefined) follow(worker, message, channel);
    });
  });
  channel.send({ type: "ready" });
}

/** The worker, listening; undefined when it cannot, which the parent is told. */
async function start(
  message: StartMessage,
  channel: ParentChannel,
  clock: Clock,
): Promise<Worker | undefined> {
  const meter = createMeter();
  const send = (content: FromWorker): void => channel.send(content);
  const pipeline = new WorkerPipeline({ start: message, clock, meter, send });
  const waiting: Worker["waiting"] = new Map();
  let question = 0;
  const renderMetrics = (): Promise<string> =>
    new Promise((resolve) => {
      waiting.set(++question, resolve);
      send({ type: "metrics wanted", question });
    });
  const ingest: Ingest = {
    traces: (bytes) => pipeline.ingest(bytes),
    metrics: (bytes) => pipeline.ingestMetrics(bytes),
  };
  const state = { degraded: message.degraded };
  const degraded = (): string | undefined => state.degraded;
  try {
    const settings = { config: message.config, clock, meter, ingest, renderMetrics, degraded };
    const receivers = await openReceivers(settings);
    const tellFigures = createFigureTeller(meter);
    send({ type: "figures", turn: 0, figures: tellFigures() });
    send({ type: "listening", ports: receivers.ports });
    return { pipeline, receivers, tellFigures, waiting, state };
  } catch (cause) {
    if (!(cause instanceof OperationalError)) throw cause;
    send({ type: "failed", code: cause.code, message: cause.message });
    return undefined;
  }
}

function follow(
  { pipeline, receivers, tellFigures, waiting, state }: Worker,
  message: Exclude<ToWorker, StartMessage>,
  channel: ParentChannel,
): void {
  switch (message.type) {
    case "adopt":
      pipeline.adopt(message);
      break;
    case "correct":
      pipeline.correct(message.correctionMs);
      break;
    case "seal":
      pipeline.seal(message);
      break;
    case "taken":
      pipeline.taken(message.rows);
      break;
    case "degraded":
      state.degraded = message.degraded;
      break;
    case "figures wanted":
      channel.send({ type: "figures", turn: message.turn, figures: tellFigures() });
      break;
    case "metrics":
      waiting.get(message.question)?.(message.text);
      waiting.delete(message.question);
      break;
    case "close":
      void receivers.close().then(() => channel.send({ type: "closed" }));
      break;
  }
}
