/** Where customers meet it. */
import type { AffectedEntry, Signal } from "../../../wire/api-types.ts";
import { badWord, formatCount, formatShare, shareOf } from "../format.ts";
import { type Column, DataTable } from "./data-table.tsx";

interface EntriesTableProps {
  readonly entries: readonly AffectedEntry[];
  readonly signal: Signal;
}

export function EntriesTable({ entries, signal }: EntriesTableProps) {
  if (entries.length === 0) return <p className="hint">No entry is affected so far.</p>;
  const columns: readonly Column<AffectedEntry>[] = [
    { name: "service", cell: ({ service }) => service },
    { name: "operation", cell: ({ operation }) => operation },
    { name: badWord(signal), numeric: true, cell: ({ bad }) => formatCount(bad) },
    { name: "of", numeric: true, cell: ({ count }) => formatCount(count) },
    { name: "share", numeric: true, cell: (entry) => formatShare(shareOf(entry)) },
  ];
  return (
    <DataTable
      label="affected entries"
      columns={columns}
      rows={entries}
      keyOf={({ service, operation }) => JSON.stringify([service, operation])}
    />
  );
}
