/**
 * What became of every span that agents sealed: applied, declared lost, or still to come. When a
 * stream is complete, what is applied and what is lost must be what its agent counted.
 */
import type { LedgerReport, LedgerTotals, StreamLedger } from "../../wire/api-types.ts";
import { lossCauses } from "../../wire/lost-records.ts";
import { isAccounted, lostSpansOf, type StreamState } from "./stream-state.ts";

export function ledgerOf(streams: Iterable<StreamState>): LedgerReport {
  const ledgers = [...streams].map(streamLedgerOf);
  ledgers.sort((a, b) => (a.agent < b.agent ? -1 : a.agent > b.agent ? 1 : b.heardMs - a.heardMs));
  return { streams: ledgers, totals: totalsOf(ledgers) };
}

function streamLedgerOf(stream: StreamState): StreamLedger {
  const { lastSeq, oldestSeq, missing, appliedRecords, appliedSpans, asideSpans } = stream;
  const { lostRecords, forks, gapMs, streamSpans, heardMs } = stream;
  const lostSpans = lostSpansOf(stream);
  return {
    ...{ streamId: stream.id, agent: stream.agent, lastSeq, oldestSeq, missing },
    ...{ appliedRecords, appliedSpans, asideSpans, lostRecords, lostSpans },
    lost: Object.fromEntries(lossCauses.map((cause) => [cause, stream.lostSpans.get(cause) ?? 0])),
    ...{ forks, gapMs, streamSpans, heardMs },
    accounted: isAccounted(stream),
  };
}

function totalsOf(ledgers: readonly StreamLedger[]): LedgerTotals {
  const sum = (read: (ledger: StreamLedger) => number): number =>
    ledgers.reduce((total, ledger) => total + read(ledger), 0);
  const lost = lossCauses.map((cause) => [cause, sum((ledger) => ledger.lost[cause] ?? 0)]);
  return {
    streams: ledgers.length,
    complete: sum(({ missing }) => (missing === 0 ? 1 : 0)),
    missing: sum(({ missing }) => missing),
    appliedRecords: sum(({ appliedRecords }) => appliedRecords),
    appliedSpans: sum(({ appliedSpans }) => appliedSpans),
    asideSpans: sum(({ asideSpans }) => asideSpans),
    lostRecords: sum(({ lostRecords }) => lostRecords),
    lostSpans: sum(({ lostSpans }) => lostSpans),
    lost: Object.fromEntries(lost),
    gapMs: sum(({ gapMs }) => gapMs),
    streamSpans: sum(({ streamSpans }) => streamSpans),
    accounted: ledgers.every(({ accounted }) => accounted),
  };
}
