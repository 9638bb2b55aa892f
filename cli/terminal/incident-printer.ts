/**
 * Stream messages as text for people: a block when an incident opens, resolves or changes its
 * story, one line when only its numbers move, and plain words for gaps and lost connections.
 */
import type { Hop, Incident, StreamMessage, WindowSummary } from "../../wire/api-types.ts";
import type { Loss } from "../client/follow-stream.ts";
import { formatCount, formatNoun, formatShare, formatTime } from "./format.ts";
import {
  fingerprintOf,
  type IncidentMoment,
  renderIncident,
  renderUpdate,
} from "./render-incident.ts";
import { createLiveLine, type LiveLine } from "./render-progress.ts";
import type { Terminal } from "./terminal.ts";

export interface IncidentPrinter {
  print(message: StreamMessage): void;
  printLoss(loss: Loss): void;
  /** Resolves when everything handed in is printed. */
  drain(): Promise<void>;
}

export interface IncidentPrinterOptions {
  readonly terminal: Terminal;
  readonly nowMs: () => number;
  /** The path of an incident; empty when it cannot be had. */
  hopsOf(id: string): Promise<readonly Hop[]>;
}

/** Above this many waiting messages the path is left out rather than fetched. */
const waitingMax = 64;

export function createIncidentPrinter(options: IncidentPrinterOptions): IncidentPrinter {
  const { terminal } = options;
  const state: State = {
    options,
    liveLine: terminal.isTty ? createLiveLine(terminal, options.nowMs) : undefined,
    fingerprints: new Map(),
    epoch: undefined,
    waiting: 0,
  };
  let queue = Promise.resolve();
  const enqueue = (work: () => Promise<void>): void => {
    state.waiting++;
    queue = queue.then(work).finally(() => {
      state.waiting--;
    });
  };
  return {
    print: (message) => enqueue(() => printMessage(message, state)),
    printLoss: (loss) => enqueue(async () => write(state, lossText(loss, terminal))),
    drain: () => queue,
  };
}

interface State {
  readonly options: IncidentPrinterOptions;
  readonly liveLine: LiveLine | undefined;
  /** Of firing incidents only, so it is no larger than their number. */
  readonly fingerprints: Map<string, string>;
  epoch: string | undefined;
  waiting: number;
}

type Hello = Extract<StreamMessage, { type: "hello" }>;

async function printMessage(message: StreamMessage, state: State): Promise<void> {
  const { style } = state.options.terminal;
  switch (message.type) {
    case "hello":
      return printHello(message, state);
    case "gap":
      return write(state, style.yellow(`${gapText(message)}\n`));
    case "window.closed":
      return state.liveLine?.show(style.dim(windowText(message.window)));
    case "incident.opened":
    case "incident.updated":
    case "incident.resolved":
      return printIncident(message.incident, momentOf(message.type), state);
  }
}

async function printHello(hello: Hello, state: State): Promise<void> {
  const { style } = state.options.terminal;
  const isReturn = hello.epoch === state.epoch;
  if (isReturn) return write(state, style.dim("connected again\n"));
  const firing = hello.incidents.filter(({ status }) => status === "firing");
  const anew = state.epoch === undefined ? "" : "the collector numbers its events anew; ";
  state.epoch = hello.epoch;
  write(state, style.dim(`${anew}connected, ${formatNoun(firing.length, "incident")} firing\n`));
  for (const incident of firing) await printIncident(incident, "firing", state);
}

async function printIncident(
  incident: Incident,
  moment: IncidentMoment,
  state: State,
): Promise<void> {
  const { terminal } = state.options;
  const fingerprint = fingerprintOf(incident);
  const known = state.fingerprints.get(incident.id) === fingerprint;
  if (incident.status === "firing") state.fingerprints.set(incident.id, fingerprint);
  else state.fingerprints.delete(incident.id);
  if (known) return write(state, renderUpdate(incident, terminal.style));
  const hops = state.waiting > waitingMax ? [] : await state.options.hopsOf(incident.id);
  write(state, `\n${renderIncident({ incident, moment, hops }, terminal)}`);
}

function write(state: State, text: string): void {
  state.liveLine?.clear();
  state.options.terminal.write(text);
}

function momentOf(type: `incident.${"opened" | "updated" | "resolved"}`): IncidentMoment {
  return type.slice("incident.".length) as IncidentMoment;
}

function gapText({ fromSeq, toSeq }: { fromSeq: number; toSeq: number }): string {
  if (toSeq === 0) return "gap: what followed the last event seen here is gone";
  const lost = formatNoun(toSeq - fromSeq + 1, "event");
  return `gap: ${lost} (${fromSeq} to ${toSeq}) are no longer kept and were not seen here`;
}

function windowText(window: WindowSummary): string {
  const { spans, errors } = window;
  return [
    formatTime(window.windowStartMs),
    `${formatCount(spans)} spans`,
    `${formatShare(spans === 0 ? 0 : errors / spans)} failed`,
    formatNoun(window.keys, "key"),
    formatNoun(window.anomalies, "anomaly", "anomalies"),
    `coverage ${formatShare(window.coverage)}${window.revised ? " · revised" : ""}`,
  ].join(" · ");
}

function lossText(loss: Loss, { style }: Terminal): string {
  const what = loss.wasConnected ? "connection lost" : "no collector yet";
  return style.yellow(`${what} (${loss.reason}); trying again in ${loss.retryMs / 1000} s\n`);
}
