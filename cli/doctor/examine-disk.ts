/** Reads spool and store where they lie, whether or not anybody uses them: counts and damage. */
import { decodeSpoolPayload } from "../../agent/spool/spool-record.ts";
import type { Disk } from "../../base/disk.ts";
import { scanRecords } from "../../base/records.ts";
import { formatBytes, formatNoun } from "../terminal/format.ts";
import type { Finding } from "./finding.ts";

/** Of a large store the newest files are enough to tell whether its disk is sound. */
const scanBytesMax = 2 ** 30;
const shareFreeLow = 0.1;
const shareFreeNone = 0.01;
const scannedPattern = /(\.(spool|log|window)|^decider-\d+)$/;
/** What the store found broken and put aside. */
const asidePattern = /\.damaged$/;

interface Scan {
  files: number;
  bytes: number;
  records: number;
  spans: number;
  damaged: number;
  aside: number;
  skipped: number;
}

export async function examineSpool(disk: Disk, directory: string): Promise<Finding[]> {
  const scan = await scanFiles(disk, await filesIn(disk, directory));
  if (scan.files === 0) return [];
  const holds = `${formatNoun(scan.records, "record")} of ${formatNoun(scan.spans, "span")}`;
  return [
    judged("spool on disk", `${directory} holds ${holds}`, scan),
    await roomOf(disk, directory, "spool on disk"),
  ].filter((found) => found !== undefined);
}

export async function examineStore(disk: Disk, directory: string): Promise<Finding[]> {
  const scan = await scanFiles(disk, await filesIn(disk, directory));
  if (scan.files === 0) return [];
  const holds = `${formatNoun(scan.records, "record")} in ${formatNoun(scan.files, "file")}`;
  return [
    judged("store on disk", `${directory} holds ${holds}`, scan),
    await roomOf(disk, directory, "store on disk"),
  ].filter((found) => found !== undefined);
}

function judged(subject: string, holds: string, scan: Scan): Finding {
  const size = `${holds}, ${formatBytes(scan.bytes)}`;
  const rest = scan.skipped > 0 ? `; ${formatNoun(scan.skipped, "older file")} not read` : "";
  if (scan.damaged > 0) {
    const damage = formatNoun(scan.damaged, "damaged record");
    return { subject, state: "wrong", detail: `${size}; ${damage}${rest}` };
  }
  const aside = formatNoun(scan.aside, "damaged file");
  return scan.aside > 0
    ? { subject, state: "look", detail: `${size}; ${aside} put aside${rest}` }
    : { subject, state: "well", detail: `${size}, none damaged${rest}` };
}

async function roomOf(
  disk: Disk,
  directory: string,
  subject: string,
): Promise<Finding | undefined> {
  const { freeBytes, totalBytes } = await disk.room(directory);
  const share = totalBytes === 0 ? 1 : freeBytes / totalBytes;
  if (share >= shareFreeLow) return undefined;
  const detail = `${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} free below ${directory}`;
  return { subject, state: share < shareFreeNone ? "wrong" : "look", detail };
}

/** The files below a directory that are made of records, newest names first. */
async function filesIn(disk: Disk, directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await namesIn(disk, directory)) {
    const path = `${directory}/${name}`;
    if (scannedPattern.test(name) || asidePattern.test(name)) found.push(path);
    else if (!name.includes(".")) found.push(...(await filesIn(disk, path)));
  }
  return found.sort().reverse();
}

/** None for what is no directory, or is gone. */
async function namesIn(disk: Disk, directory: string): Promise<readonly string[]> {
  try {
    return await disk.list(directory);
  } catch {
    return [];
  }
}

async function scanFiles(disk: Disk, paths: readonly string[]): Promise<Scan> {
  const scan: Scan = { files: 0, bytes: 0, records: 0, spans: 0, damaged: 0, aside: 0, skipped: 0 };
  for (const path of paths) {
    if (asidePattern.test(path)) {
      scan.aside++;
      continue;
    }
    const bytes = scan.bytes < scanBytesMax ? await disk.read(path) : undefined;
    if (bytes === undefined) {
      scan.skipped++;
      continue;
    }
    scan.files++;
    scan.bytes += bytes.length;
    // What is behind the last whole record may just be being written.
    const { payloads, corrupt } = scanRecords(bytes);
    scan.damaged += corrupt;
    for (const payload of payloads) countPayload(scan, path, payload);
  }
  return scan;
}

function countPayload(scan: Scan, path: string, payload: Uint8Array): void {
  const spooled = path.endsWith(".spool") ? decodeSpoolPayload(payload) : undefined;
  if (path.endsWith(".spool") && spooled?.type !== "record") return;
  scan.records++;
  if (spooled?.type === "record") scan.spans += spooled.facts.spans;
}
