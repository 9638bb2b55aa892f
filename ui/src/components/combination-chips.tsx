/** The attribute values that together hold the excess of bad events. */
import type { AttributeValue } from "../../../wire/api-types.ts";

export function CombinationChips({ attributes }: { attributes: readonly AttributeValue[] }) {
  if (attributes.length === 0) return <span className="chips chips-none">everywhere</span>;
  return (
    <span className="chips">
      {attributes.map(({ dimension, value }) => (
        <span className="chip" key={dimension}>
          <span className="chip-dimension">{dimension}</span>{" "}
          <span className="chip-value">{value === "" ? "(absent)" : value}</span>
        </span>
      ))}
    </span>
  );
}
