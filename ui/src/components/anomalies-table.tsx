/** The departures from a baseline that the incident is made of, newest and strongest first. */
import type { Anomaly } from "../../../wire/api-types.ts";
import { formatCount, formatExpected, formatProbability, formatTime } from "../format.ts";
import { type Column, DataTable } from "./data-table.tsx";

const columns: readonly Column<Anomaly>[] = [
  { name: "window", cell: ({ windowStartMs }) => formatTime(windowStartMs) },
  { name: "service", cell: ({ service, sentence }) => <span title={sentence}>{service}</span> },
  { name: "operation", cell: ({ operation, kind, peer }) => whatOf({ operation, kind, peer }) },
  { name: "signal", cell: ({ signal }) => signal },
  { name: "bad", numeric: true, cell: ({ bad }) => formatCount(bad) },
  { name: "of", numeric: true, cell: ({ count }) => formatCount(count) },
  { name: "expected", numeric: true, cell: ({ expected }) => formatExpected(expected) },
  { name: "q-value", numeric: true, cell: ({ qValue }) => formatProbability(qValue) },
  { name: "score", numeric: true, cell: ({ score }) => score.toFixed(1) },
];

export function AnomaliesTable({ anomalies }: { anomalies: readonly Anomaly[] }) {
  if (anomalies.length === 0) return <p className="hint">None in the newest windows.</p>;
  const rows = anomalies.toSorted((a, b) => b.windowStartMs - a.windowStartMs || b.score - a.score);
  return (
    <DataTable
      label="anomalies"
      columns={columns}
      rows={rows}
      keyOf={({ windowStartMs, service, operation, kind, peer, signal }) =>
        JSON.stringify([windowStartMs, service, operation, kind, peer, signal])
      }
    />
  );
}

function whatOf({ operation, kind, peer }: Pick<Anomaly, "operation" | "kind" | "peer">) {
  return (
    <>
      {operation}{" "}
      <small>
        {kind}
        {peer !== "" && ` → ${peer}`}
      </small>
    </>
  );
}
