/**
 * Files as a value. The real ones are made in `cli/`; tests run the whole product on virtual ones
 * that tear writes, lose what was not synced, and refuse.
 *
 * What a power cut leaves: the bytes a file had at its last `datasync`, any part of those written
 * after it, and of a directory the names it had at its last `syncDirectory`, any part of the later
 * changes done.
 */
export interface DiskFile {
  /** May take fewer bytes than offered, without an error. */
  write(
    bytes: Uint8Array,
    offset: number,
    size: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  datasync(): Promise<void>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}

export interface DiskRange {
  readonly position: number;
  readonly size: number;
}

export interface Disk {
  /** `w` makes the file, or empties it; `r+` opens one that is there. */
  open(path: string, flags: "w" | "r+"): Promise<DiskFile>;
  /** The bytes of the file, or those of `range` that it has; undefined when there is no file. */
  read(path: string, range?: DiskRange): Promise<Uint8Array | undefined>;
  /** The names in a directory, in no order. */
  list(directory: string): Promise<readonly string[]>;
  rename(from: string, to: string): Promise<void>;
  /** Unlinks a file; one that is not there is no error. */
  remove(path: string): Promise<void>;
  /** Makes the directory and those above it, durably; one that is there is no error. */
  makeDirectory(path: string): Promise<void>;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Bytes of the filesystem of `path`. */
  room(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
  /**
   * Takes the directory for this process; the function returned gives it back.
   *
   * @throws OperationalError STORE_LOCKED while another process has it
   */
  own(directory: string): Promise<() => Promise<void>>;
}
