/**
 * A minute of Nezha's traces as OTLP requests. A file is a line of JSON (`baseUnixNano`, `pods`,
 * `ops`), then `T,<trace id>` and for each span `parent index|-,pod,op,start offset ns,duration ns`.
 *
 * Spans carry no kind: one whose parent ran in another pod is a server's, one that has a child in
 * another pod a client's, and so is every other of that pod and name. The service is the pod
 * without what Kubernetes added to its name.
 */
import { ProtoWriter } from "../../../wire/proto-writer.ts";
import { readText } from "../read-data.ts";

export interface TracedSpan {
  /** Index in its trace, -1 for none. */
  readonly parent: number;
  readonly pod: string;
  readonly operation: string;
  readonly startNs: bigint;
  readonly durationNs: bigint;
}

export interface RecordedTrace {
  readonly id: string;
  readonly spans: readonly TracedSpan[];
}

/** The spans that ended in one second. */
export interface SecondOfSpans {
  readonly endMs: number;
  readonly request: Uint8Array;
}

const msPerSecond = 1_000;
const nsPerSecond = 1_000_000_000n;
const [server, client, internal] = [2, 3, 1];

export function readTraces(path: string): RecordedTrace[] {
  const [head = "", ...lines] = readText(path).trimEnd().split("\n");
  const { baseUnixNano, pods, ops } = JSON.parse(head) as {
    readonly baseUnixNano: string;
    readonly pods: readonly string[];
    readonly ops: readonly string[];
  };
  const baseNs = BigInt(baseUnixNano);
  const traces: { id: string; spans: TracedSpan[] }[] = [];
  for (const line of lines) {
    const [parent = "", pod = "", op = "", start = "", duration = ""] = line.split(",");
    if (parent === "T") {
      traces.push({ id: pod, spans: [] });
      continue;
    }
    traces.at(-1)?.spans.push({
      parent: parent === "-" ? -1 : Number(parent),
      pod: pods[Number(pod)] ?? "",
      operation: ops[Number(op)] ?? "",
      startNs: baseNs + BigInt(start),
      durationNs: BigInt(duration),
    });
  }
  return traces;
}

export function serviceOfPod(pod: string): string {
  return pod.replace(/-[a-z0-9]{6,10}-[a-z0-9]{5}$/, "");
}

/** Whom spans of a pod and name call; "" where that differs from span to span. */
export type Callers = ReadonlyMap<string, string>;

export function callersIn(traces: readonly RecordedTrace[]): Callers {
  const callers = new Map<string, string>();
  for (const { spans } of traces) {
    for (const { parent, pod } of spans) {
      const caller = spans[parent];
      if (caller === undefined || caller.pod === pod) continue;
      const name = nameOf(caller);
      const callee = serviceOfPod(pod);
      callers.set(name, (callers.get(name) ?? callee) === callee ? callee : "");
    }
  }
  return callers;
}

function nameOf({ pod, operation }: TracedSpan): string {
  return `${serviceOfPod(pod)}\0${operation}`;
}

/** The spans in the order in which they ended, a request each second. */
export function requestsOf(traces: readonly RecordedTrace[], callers: Callers): SecondOfSpans[] {
  const seconds = new Map<number, Map<string, PlacedSpan[]>>();
  for (const trace of traces) {
    const called = calleesOf(trace);
    trace.spans.forEach((span, index) => {
      const second = Number((span.startNs + span.durationNs) / nsPerSecond);
      const pods = seconds.get(second) ?? new Map<string, PlacedSpan[]>();
      seconds.set(second, pods);
      const placed = pods.get(span.pod) ?? [];
      pods.set(span.pod, placed);
      placed.push({ trace, index, called: called[index] });
    });
  }
  return [...seconds]
    .sort(([a], [b]) => a - b)
    .map(([second, pods]) => ({
      endMs: (second + 1) * msPerSecond,
      request: encodeRequest(pods, callers),
    }));
}

interface PlacedSpan {
  readonly trace: RecordedTrace;
  readonly index: number;
  /** The service that answered it. */
  readonly called: string | undefined;
}

function calleesOf({ spans }: RecordedTrace): (string | undefined)[] {
  const called = new Array<string | undefined>(spans.length);
  for (const { parent, pod } of spans) {
    const caller = spans[parent];
    if (caller !== undefined && caller.pod !== pod) called[parent] = serviceOfPod(pod);
  }
  return called;
}

function encodeRequest(
  pods: ReadonlyMap<string, readonly PlacedSpan[]>,
  callers: Callers,
): Uint8Array {
  const writer = new ProtoWriter();
  for (const [pod, spans] of pods) {
    const resourceSpans = writer.open(1);
    const resource = writer.open(1);
    writeAttribute(writer, 1, "service.name", serviceOfPod(pod));
    writeAttribute(writer, 1, "k8s.pod.name", pod);
    writer.close(resource);
    const scopeSpans = writer.open(2);
    for (const span of spans) writeSpan(writer, span, callers);
    writer.close(scopeSpans);
    writer.close(resourceSpans);
  }
  return writer.finish();
}

function writeSpan(writer: ProtoWriter, placed: PlacedSpan, callers: Callers): void {
  const { trace, index } = placed;
  const span = trace.spans[index] as TracedSpan;
  const parent = trace.spans[span.parent];
  const usual = callers.get(nameOf(span));
  const isServer = parent === undefined || parent.pod !== span.pod;
  const isClient = !isServer && (placed.called ?? usual) !== undefined;
  const mark = writer.open(2);
  writer.bytes(1, Buffer.from(trace.id.padStart(32, "0"), "hex"));
  writer.bytes(2, spanId(trace.id, index));
  if (parent !== undefined) writer.bytes(4, spanId(trace.id, span.parent));
  writer.text(5, span.operation);
  writer.integer(6, isServer ? server : isClient ? client : internal);
  writer.fixed64(7, span.startNs);
  writer.fixed64(8, span.startNs + span.durationNs);
  const peer = placed.called ?? usual ?? "";
  if (isClient && peer !== "") writeAttribute(writer, 9, "server.address", peer);
  writer.close(mark);
}

/** Ids were left out of the files: a trace's own beginning, and the place in it. */
function spanId(traceId: string, index: number): Uint8Array {
  const id = Buffer.from(traceId.slice(0, 16).padStart(16, "0"), "hex");
  id.writeUInt32BE(index + 1, 4);
  return id;
}

function writeAttribute(writer: ProtoWriter, field: number, key: string, value: string): void {
  const attribute = writer.open(field);
  writer.text(1, key);
  const any = writer.open(2);
  writer.text(1, value);
  writer.close(any);
  writer.close(attribute);
}
