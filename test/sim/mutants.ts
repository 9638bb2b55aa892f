/**
 * Defects of delivery that the simulator has to tell, each what a design without one of the guards
 * would do. Where several guards stand against one of them, all of them are taken out.
 */
import type { Patch, SeededDefect } from "../seeded-defect.ts";

/** Of a record visited in the log: written again at a start, it has the number it had. */
const isNewByLsn = '(lsn <= (this.lastLsn ?? 0) ? "duplicate" : ((this.lastLsn = lsn), "new"))';

/** What the records of the log say of numbers that are there. */
const notReadAtAStart: readonly Patch[] = [
  {
    file: "collector/ingest/ingest.js",
    find: "streams.know({ ...batch, digest })",
    replace: isNewByLsn,
  },
  {
    file: "collector/ingest/ingest.js",
    find: "streams.add({ batch, digest, receivedMs, aside });",
    replace: "",
  },
];

export const mutants: readonly SeededDefect[] = [
  {
    name: "at least once, without dedupe",
    patches: [
      {
        file: "collector/ingest/streams.js",
        find: "stream === undefined || !hasNumber(stream.intervals, record.seq)",
        replace: "true",
      },
    ],
  },
  {
    // The log says by its own numbers what it has twice; of senders nothing else is remembered.
    name: "dedupe by id in memory, for 120 s",
    patches: [
      {
        file: "collector/ingest/ingest.js",
        find: "streams.know({ streamId, seq, digest })",
        replace:
          "this.#options.clock.nowMs() - ((this.takenMs ??= new Map()).get(streamId + seq) ?? 0)" +
          ' < 120_000 ? "duplicate" : "new"',
      },
      {
        file: "collector/ingest/ingest.js",
        find: "streams.add({ ...record, aside: isAside(fate) });",
        replace:
          "(this.takenMs ??= new Map()).set(batch.streamId + batch.seq, clock.nowMs());" +
          "streams.add({ ...record, aside: isAside(fate) });",
      },
      {
        file: "collector/ingest/ingest.js",
        find: "streams.know({ ...batch, digest })",
        replace: isNewByLsn,
      },
    ],
  },
  {
    name: "the dedupe table is in memory only",
    patches: [
      {
        file: "collector/ingest/ingest.js",
        find: "state.length > 0 && !streams.decode(state)",
        replace: "false",
      },
      ...notReadAtAStart,
    ],
  },
  {
    // It is saved with the head of each log file, and what the records behind it say is not read.
    name: "the dedupe table is saved apart from the data",
    patches: [...notReadAtAStart],
  },
  {
    // The collector's log is synced with every sixteenth write.
    name: "acknowledged before the sync",
    patches: [
      {
        file: "base/journal.js",
        find: "await this.#file.datasync();",
        replace:
          'if (!this.#path.includes("batches-") || (this.count = (this.count ?? 0) + 1) % 16 === 0)' +
          " await this.#file.datasync();",
      },
    ],
  },
  {
    // Recovery would find that numbers are missing, and what they counted: it does not look.
    name: "a spool file goes before the tombstone for it is durable",
    patches: [
      {
        file: "agent/export/stream-keeper.js",
        find: "missing.length > 0",
        replace: "false",
      },
      {
        file: "agent/spool/spool-entry.js",
        find: "replacedBy.place !== undefined || isFinished(replacedBy)",
        replace: "true",
      },
    ],
  },
  {
    // There is no snapshot: a new file of the collector's log takes its place.
    name: "a new log file's name is not durable when older ones go",
    patches: [
      {
        file: "base/journal.js",
        find: "rename(temporary, path);\n            await disk.syncDirectory(parentOf(path));",
        replace: "rename(temporary, path);",
      },
    ],
  },
  {
    // A spool's newest file never goes, as the name and the numbers of the stream are in it; here
    // it does, and the name is the machine's.
    name: "an emptied spool numbers its records from 1 in the same stream",
    patches: [
      {
        file: "agent/spool/spool-files.js",
        find: "!this.#segments.slice(1).some(({ entries }) => entries.length > 0)",
        replace: "false",
      },
      {
        file: "agent/spool/spool-files.js",
        find: "await disk.remove(oldest.path);",
        replace:
          "if (this.#segments.length === 1) await this.roll(); await disk.remove(oldest.path);",
      },
      {
        file: "agent/export/delivery.js",
        find: "Buffer.from(randomBytes(streamIdSize))",
        replace: "Buffer.from(config.name.padEnd(streamIdSize))",
      },
    ],
  },
  {
    name: "what is acknowledged is cut off by one",
    patches: [
      {
        file: "agent/export/stream-keeper.js",
        find: "!hasNumber(have, facts.seq)",
        replace: "!hasNumber(have, facts.seq - 1)",
      },
    ],
  },
  {
    name: "a tombstone counts records as lost that were applied",
    patches: [
      {
        file: "collector/ingest/stream-state.js",
        find: "hasNumber(stream.intervals, seq)",
        replace: "false",
      },
    ],
  },
  {
    name: "a short write is taken for a whole one",
    patches: [
      {
        file: "base/files.js",
        find: "written += bytesWritten;",
        replace: "written = bytes.length;",
      },
    ],
  },
];
