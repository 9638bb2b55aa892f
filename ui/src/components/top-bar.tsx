/** Who we are, how bad it is, and whether what is shown is live. */
import type { Incident } from "../../../wire/api-types.ts";
import { formatNoun, formatShare, formatTime } from "../format.ts";
import type { Board, Link } from "../state/board.ts";
import { linkTo } from "../state/use-selection.ts";

export function TopBar({ board, firing }: { board: Board; firing: readonly Incident[] }) {
  const paging = firing.filter(({ page }) => page).length;
  return (
    <header className="top-bar">
      <a className="brand" href={linkTo(undefined)}>
        <svg className="brand-mark" viewBox="0 0 32 32" aria-hidden="true">
          <path d="M4 21h7l3.5-13 4.5 17 3-9h6" />
        </svg>
        Brunt
      </a>
      <p className="top-summary">
        {firing.length === 0
          ? "no incident"
          : `${formatNoun(firing.length, "incident")}, ${paging} paging`}
      </p>
      {board.window !== undefined && (
        <p className="top-window">
          last window {formatTime(board.window.windowStartMs)} ·{" "}
          {formatNoun(board.window.spans, "span")} · coverage {formatShare(board.window.coverage)}
        </p>
      )}
      <ConnectionState link={board.link} />
    </header>
  );
}

const phaseTexts: Readonly<Record<Link["phase"], string>> = {
  connecting: "connecting",
  live: "live",
  locked: "locked",
  reconnecting: "reconnecting",
};

function ConnectionState({ link }: { link: Link }) {
  const attempt = link.phase === "reconnecting" && link.attempt > 1 ? `, try ${link.attempt}` : "";
  return (
    <p className={`connection connection-${link.phase}`} role="status">
      {phaseTexts[link.phase]}
      {attempt}
    </p>
  );
}
