/** The number that orders everything: customers affected, with its bounds. */
import type { Incident } from "../../../wire/api-types.ts";
import { badWord, formatBounds, formatCount, formatShort } from "../format.ts";

export function CustomersNumber({ incident }: { incident: Incident }) {
  const { impact, signal } = incident;
  const { customers } = impact;
  if (customers === null) {
    return (
      <span className="impact" title="no span at an entry names a customer">
        <span className="impact-number">{formatShort(impact.bad)}</span>
        <span className="impact-bounds">&nbsp;</span>
        <span className="impact-unit">{badWord(signal)}, customers unknown</span>
      </span>
    );
  }
  const range = `${formatCount(customers.low)} to ${formatCount(customers.high)}`;
  return (
    <span className="impact" title={`${range} customers, with 95 % confidence`}>
      <span className="impact-number">{formatCount(customers.value)}</span>
      <span className="impact-bounds">{formatBounds(customers) || "\u00a0"}</span>
      <span className="impact-unit">
        {Math.round(customers.value) === 1 ? "customer" : "customers"}
      </span>
    </span>
  );
}
