/** Says how many events are gone for good; what is shown is current all the same. */
import { formatNoun } from "../format.ts";

export function MissedNotice({ missed, onDismiss }: { missed: number; onDismiss: () => void }) {
  if (missed === 0) return null;
  return (
    <div className="notice" role="status">
      <p>
        <strong>gap of {formatNoun(missed, "event")}</strong>: they are gone for good; the incidents
        below are up to date.
      </p>
      <button type="button" onClick={onDismiss}>
        dismiss
      </button>
    </div>
  );
}
