/** The combinations that explain the excess of bad events, best first. */
import type { Combination, Signal } from "../../../wire/api-types.ts";
import {
  badWord,
  formatCount,
  formatEstimate,
  formatExpected,
  formatProbability,
  formatShare,
} from "../format.ts";
import { CombinationChips } from "./combination-chips.tsx";
import { type Column, DataTable } from "./data-table.tsx";

interface CombinationsTableProps {
  readonly combinations: readonly Combination[];
  readonly signal: Signal;
}

export function CombinationsTable({ combinations, signal }: CombinationsTableProps) {
  if (combinations.length === 0) {
    return <p className="hint">No combination of attributes stands out: it is spread evenly.</p>;
  }
  const columns: readonly Column<Combination>[] = [
    { name: "combination", cell: (row) => <CombinationChips attributes={row.attributes} /> },
    { name: "explained", numeric: true, cell: (row) => <Explained share={row.explained} /> },
    { name: badWord(signal), numeric: true, cell: (row) => formatCount(row.bad) },
    { name: "of", numeric: true, cell: (row) => formatCount(row.count) },
    { name: "expected", numeric: true, cell: (row) => formatExpected(row.expected) },
    {
      name: "customers",
      numeric: true,
      cell: (row) => (row.customers === null ? "unknown" : formatEstimate(row.customers)),
    },
    { name: "p-value", numeric: true, cell: (row) => formatProbability(row.pValue) },
  ];
  return (
    <DataTable
      label="combinations"
      columns={columns}
      rows={combinations}
      keyOf={({ attributes }) => JSON.stringify(attributes)}
    />
  );
}

/** The share of the cause's excess, as a number with a bar. */
function Explained({ share }: { share: number }) {
  return (
    <span className="explained">
      <svg viewBox="0 0 48 6" aria-hidden="true">
        <rect className="bar-back" width="48" height="6" rx="3" />
        <rect className="bar" width={48 * Math.min(Math.max(share, 0), 1)} height="6" rx="3" />
      </svg>
      {formatShare(share)}
    </span>
  );
}
