/**
 * What the page knows, changed only by what the stream says.
 *
 * `hello` carries every incident as of its `nextSeq`; events numbered below it are already in that
 * picture, so a replay of them moves the position and never an incident backwards.
 */
import type { Incident, StreamMessage, WindowSummary } from "../../../wire/api-types.ts";

export type Link =
  | { readonly phase: "connecting" }
  | { readonly phase: "live" }
  /** The collector wants a token. */
  | { readonly phase: "locked" }
  | { readonly phase: "reconnecting"; readonly attempt: number };

export interface Board {
  readonly link: Link;
  readonly epoch: string | undefined;
  /** The last event number seen; undefined before the first hello. */
  readonly lastSeq: number | undefined;
  /** Events below this number are in the snapshot already. */
  readonly snapshotSeq: number;
  readonly incidents: ReadonlyMap<string, Incident>;
  readonly window: WindowSummary | undefined;
  /** Events that are gone for good, since the notice was last dismissed. */
  readonly missed: number;
  /** What changed last, in words for people who listen rather than look. */
  readonly announcement: string;
}

export type BoardAction =
  | { readonly type: "message"; readonly message: StreamMessage }
  | { readonly type: "link"; readonly link: Link }
  | { readonly type: "dismiss-missed" };

/** Resolved incidents kept on the page; older ones are in the API. */
const resolvedMax = 200;

export function createBoard(): Board {
  return {
    link: { phase: "connecting" },
    epoch: undefined,
    lastSeq: undefined,
    snapshotSeq: 0,
    incidents: new Map(),
    window: undefined,
    missed: 0,
    announcement: "",
  };
}

export function updateBoard(board: Board, action: BoardAction): Board {
  if (action.type === "link") return { ...board, link: action.link };
  if (action.type === "dismiss-missed") return { ...board, missed: 0 };
  const { message } = action;
  if (message.type === "hello") return welcome(board, message);
  if (message.type === "gap") return missEvents(board, message);
  const moved = { ...board, lastSeq: Math.max(board.lastSeq ?? 0, message.seq) };
  if (message.type === "window.closed") {
    const isNewer = message.window.windowStartMs >= (board.window?.windowStartMs ?? 0);
    return isNewer ? { ...moved, window: message.window } : moved;
  }
  if (message.seq < board.snapshotSeq) return moved;
  return takeIncident(moved, message.type, message.incident);
}

function welcome(board: Board, hello: Extract<StreamMessage, { type: "hello" }>): Board {
  const isResumed = board.epoch === hello.epoch && board.lastSeq !== undefined;
  return {
    ...board,
    link: { phase: "live" },
    epoch: hello.epoch,
    lastSeq: isResumed ? board.lastSeq : hello.nextSeq - 1,
    snapshotSeq: hello.nextSeq,
    incidents: trim(new Map(hello.incidents.map((incident) => [incident.id, incident]))),
  };
}

function missEvents(board: Board, { fromSeq, toSeq }: { fromSeq: number; toSeq: number }): Board {
  // A collector that numbers anew and has sent nothing yet says 0 to 0: nothing was missed.
  const count = toSeq < 1 ? 0 : toSeq - Math.max(fromSeq, 1) + 1;
  return { ...board, lastSeq: Math.max(board.lastSeq ?? 0, toSeq), missed: board.missed + count };
}

function takeIncident(board: Board, type: string, incident: Incident): Board {
  const incidents = trim(new Map(board.incidents).set(incident.id, incident));
  const announcement =
    type === "incident.opened"
      ? `new incident: ${incident.title}`
      : type === "incident.resolved"
        ? `resolved: ${incident.title}`
        : board.announcement;
  return { ...board, incidents, announcement };
}

function trim(incidents: Map<string, Incident>): Map<string, Incident> {
  const resolved = [...incidents.values()].filter(({ status }) => status === "resolved");
  if (resolved.length <= resolvedMax) return incidents;
  for (const { id } of resolved.toSorted(newestResolvedFirst).slice(resolvedMax)) {
    incidents.delete(id);
  }
  return incidents;
}

/** Whether a gap lies beyond the snapshot, so that incidents on the page may be out of date. */
export function isStaleAfter(board: Board, gap: { readonly toSeq: number }): boolean {
  return gap.toSeq >= board.snapshotSeq;
}

/** Firing: most customers affected first; resolved: the newest first. */
export function orderIncidents(incidents: Iterable<Incident>): {
  firing: Incident[];
  resolved: Incident[];
} {
  const all = [...incidents];
  return {
    firing: all.filter(({ status }) => status === "firing").sort(mostCustomersFirst),
    resolved: all.filter(({ status }) => status === "resolved").sort(newestResolvedFirst),
  };
}

function mostCustomersFirst(a: Incident, b: Incident): number {
  // Where no span names a customer the impact is unknown, which is not the same as none.
  const customers = (incident: Incident) => incident.impact.customers?.value ?? 0;
  return (
    customers(b) - customers(a) || b.impact.bad - a.impact.bad || a.startedAtMs - b.startedAtMs
  );
}

function newestResolvedFirst(a: Incident, b: Incident): number {
  return (b.resolvedAtMs ?? b.asOfMs) - (a.resolvedAtMs ?? a.asOfMs);
}
