/** A table whose long form is shown on request, and that scrolls by itself when it is too wide. */
import { type ReactNode, useState } from "react";
import { formatCount } from "../format.ts";

export interface Column<T> {
  readonly name: string;
  /** Numbers stand to the right. */
  readonly numeric?: boolean;
  readonly cell: (row: T) => ReactNode;
}

interface DataTableProps<T> {
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T, index: number) => string;
}

const rowsShown = 8;

export function DataTable<T>({ label, columns, rows, keyOf }: DataTableProps<T>) {
  const [all, setAll] = useState(false);
  const shown = all ? rows : rows.slice(0, rowsShown);
  const classOf = (column: Column<T>) => (column.numeric === true ? "numeric" : undefined);
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by key */}
      <section className="table-scroll" tabIndex={0} aria-label={label}>
        <table>
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column.name} scope="col" className={classOf(column)}>
                  {column.name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row, index) => (
              <tr key={keyOf(row, index)}>
                {columns.map((column) => (
                  <td key={column.name} className={classOf(column)}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {rows.length > rowsShown && (
        <button type="button" className="more" onClick={() => setAll(!all)}>
          {all ? "show fewer" : `show all ${formatCount(rows.length)}`}
        </button>
      )}
    </>
  );
}
