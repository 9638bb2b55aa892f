/** The one page: incidents by customers affected on the left, what is known of one on the right. */
import { useMemo } from "react";
import { IncidentDetailView } from "./components/incident-detail-view.tsx";
import { IncidentList } from "./components/incident-list.tsx";
import { MissedNotice } from "./components/missed-notice.tsx";
import { Overview } from "./components/overview.tsx";
import { TokenForm } from "./components/token-form.tsx";
import { TopBar } from "./components/top-bar.tsx";
import { orderIncidents } from "./state/board.ts";
import { useBoard } from "./state/use-board.ts";
import { useNow } from "./state/use-now.ts";
import { useSelection } from "./state/use-selection.ts";

const tickMs = 5_000;

export function App() {
  const { board, dispatch, unlock } = useBoard();
  const nowMs = useNow(tickMs);
  const selectedId = useSelection();
  const ordered = useMemo(() => orderIncidents(board.incidents.values()), [board.incidents]);
  const selected = selectedId === undefined ? undefined : board.incidents.get(selectedId);
  if (board.link.phase === "locked") return <TokenForm onToken={unlock} />;
  return (
    <>
      <TopBar board={board} firing={ordered.firing} />
      <MissedNotice missed={board.missed} onDismiss={() => dispatch({ type: "dismiss-missed" })} />
      <p className="unseen" aria-live="polite">
        {board.announcement}
      </p>
      <main className={selectedId === undefined ? "board" : "board board-open"}>
        <IncidentList {...ordered} selectedId={selectedId} link={board.link} nowMs={nowMs} />
        <section className="pane" aria-label="details">
          {selectedId === undefined ? (
            <Overview board={board} firingCount={ordered.firing.length} />
          ) : (
            <IncidentDetailView key={selectedId} id={selectedId} live={selected} nowMs={nowMs} />
          )}
        </section>
      </main>
    </>
  );
}
