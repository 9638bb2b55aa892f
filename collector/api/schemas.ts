/** The API's types as JSON schemas: what the OpenAPI document is generated from. */

type Schema = Readonly<Record<string, unknown>>;

const text = { type: "string" };
const flag = { type: "boolean" };
const number = { type: "number" };
const count = { type: "integer", minimum: 0 };
const share = { type: "number", minimum: 0, maximum: 1 };
const epochMs = { type: "integer", description: "epoch milliseconds" };

function oneOf(...values: readonly string[]): Schema {
  return { type: "string", enum: values };
}

function listOf(items: Schema): Schema {
  return { type: "array", items };
}

function orNull(schema: Schema): Schema {
  return { anyOf: [schema, { type: "null" }] };
}

/** Every property is required but those of `optional`; `description` is for readers. */
function objectOf(
  properties: Readonly<Record<string, Schema>>,
  description?: string,
  optional: readonly string[] = [],
): Schema {
  return {
    type: "object",
    ...(description === undefined ? {} : { description }),
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
    properties,
    additionalProperties: false,
  };
}

/** A reference to one of `sharedSchemas`. */
export function reference(name: string): Schema {
  return { $ref: `${name}#` };
}

export function responseList(name: string): Schema {
  return listOf(reference(name));
}

const signal = oneOf("errors", "slow", "traffic");
const verdict = oneOf("confirmed", "likely", "inconclusive");
const estimate = orNull(reference("Estimate"));

/** What a stream's ledger and the sum of all have in common. */
const ledger = {
  missing: count,
  appliedRecords: count,
  appliedSpans: count,
  asideSpans: count,
  lostRecords: count,
  lostSpans: count,
  lost: { type: "object", description: "spans by cause", additionalProperties: count },
  gapMs: count,
  streamSpans: count,
  accounted: flag,
};

const incident = {
  id: text,
  status: oneOf("firing", "resolved"),
  page: flag,
  gate: text,
  title: text,
  signal,
  score: number,
  startedAtMs: epochMs,
  asOfMs: epochMs,
  resolvedAtMs: orNull(epochMs),
  cause: reference("Cause"),
  combinations: listOf(reference("Combination")),
  alternatives: {
    ...listOf(reference("Combination")),
    description: "what explains it nearly as well, strongest first",
  },
  impact: reference("Impact"),
  coverage: share,
  silencedUntilMs: { ...epochMs, description: "while a silence holds its alerts back: its end" },
};
const incidentOptional = ["alternatives", "silencedUntilMs"];

const matcher = objectOf({
  name: { ...text, description: "service, operation, or the name of an attribute" },
  value: text,
});
const silence = {
  matchers: { ...listOf(matcher), minItems: 1 },
  endsAtMs: epochMs,
  comment: text,
};

const named: Readonly<Record<string, Schema>> = {
  Problem: {
    type: "object",
    description: "why a request was refused, and when to try again if it will pass",
    required: ["code", "message"],
    properties: { code: text, message: text, retryAfterMs: count },
    additionalProperties: false,
  },
  Estimate: objectOf({ value: number, low: number, high: number }, "a number, 95 % bounds"),
  AttributeValue: objectOf({ dimension: text, value: text }),
  Combination: objectOf({
    attributes: listOf(reference("AttributeValue")),
    count: number,
    bad: number,
    expected: number,
    explained: number,
    pValue: number,
    customers: estimate,
  }),
  Anomaly: objectOf({
    windowStartMs: epochMs,
    service: text,
    operation: text,
    kind: text,
    peer: text,
    signal: oneOf("errors", "slow", "traffic", "duration", "customers"),
    count: number,
    bad: number,
    expected: number,
    pValue: number,
    qValue: number,
    score: number,
    sentence: text,
  }),
  GraphNode: objectOf({
    id: text,
    virtual: flag,
    type: text,
    aliases: listOf(text),
    role: oneOf("entry", "affected", "quiet", "cause", "healthy"),
    count: number,
    bad: number,
    expected: number,
    originBad: number,
    p50Ms: number,
    p99Ms: number,
    customersBad: estimate,
  }),
  GraphEdge: objectOf({
    caller: text,
    callee: text,
    count: number,
    bad: number,
    expected: number,
    p50Ms: number,
    p99Ms: number,
    gapMs: orNull(number),
    paired: share,
    onPath: flag,
  }),
  Hop: objectOf({ from: text, to: text, evidence: listOf(text), verdict }),
  Cause: objectOf({
    name: text,
    kind: oneOf("node", "edge", "none"),
    verdict,
    signal,
    reason: text,
  }),
  RootCauseGraph: objectOf({
    nodes: listOf(reference("GraphNode")),
    edges: listOf(reference("GraphEdge")),
    hops: listOf(reference("Hop")),
  }),
  Impact: objectOf({
    customers: estimate,
    entries: listOf(objectOf({ service: text, operation: text, count: number, bad: number })),
    count: number,
    bad: number,
  }),
  Incident: objectOf(incident, undefined, incidentOptional),
  IncidentDetail: objectOf(
    {
      ...incident,
      graph: reference("RootCauseGraph"),
      anomalies: listOf(reference("Anomaly")),
    },
    undefined,
    incidentOptional,
  ),
  SilenceRequest: objectOf(silence, "what a silence is to match, and its end", ["comment"]),
  Silence: objectOf({ id: text, ...silence, createdAtMs: epochMs }, "alerts held back"),
  KeySummary: objectOf({
    key: listOf(reference("AttributeValue")),
    count,
    errors: count,
    slow: count,
    p50Ms: number,
    p99Ms: number,
    customers: estimate,
  }),
  WindowSummary: objectOf({
    windowStartMs: epochMs,
    spans: count,
    errors: count,
    keys: count,
    anomalies: count,
    coverage: share,
    silentAgents: count,
    revised: flag,
  }),
  LedgerReport: objectOf({
    streams: listOf(
      objectOf({
        ...{
          streamId: text,
          agent: text,
          lastSeq: count,
          oldestSeq: count,
          heardMs: epochMs,
          forks: count,
        },
        ...ledger,
      }),
    ),
    totals: objectOf({ streams: count, complete: count, ...ledger }),
  }),
  Ack: objectOf({
    have: listOf({ type: "array", items: count, minItems: 2, maxItems: 2 }),
    thresholdsRevision: count,
    collectorTimeMs: epochMs,
  }),
  Thresholds: objectOf({
    revision: count,
    items: listOf(
      objectOf({
        service: text,
        operation: text,
        kind: text,
        peer: text,
        slowBucket: { type: "integer" },
      }),
    ),
  }),
};

/** Schemas by name, each carrying its name as `$id`. */
export const sharedSchemas: readonly Schema[] = Object.entries(named).map(([name, schema]) => ({
  $id: name,
  ...schema,
}));

/** A whole number in a query. */
export function queryInteger(options: {
  default: number;
  min: number;
  max: number;
  description: string;
}): Schema {
  const { min, max, ...rest } = options;
  return { type: "integer", minimum: min, maximum: max, ...rest };
}

export function query(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: "object", properties, additionalProperties: false };
}

/** How a request can fail. */
export const refusals = {
  "4xx": { description: "the request is refused", ...reference("Problem") },
  "5xx": { description: "the collector cannot answer now", ...reference("Problem") },
};

/** What a request is answered with when it does not. */
export function answers(schema: Schema, description: string) {
  return { 200: { description, ...schema }, ...refusals };
}
