/**
 * One collector a data directory: two would each miss what the other counted. The owner's process
 * id stands in a file; a process that is gone, or that was this one, leaves a stale file behind.
 */
import { readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { OperationalError } from "../base/errors.ts";

/**
 * Takes the directory for this process; the function returned gives it back.
 *
 * @throws OperationalError STORE_LOCKED while another process has it
 */
export async function ownDirectory(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, "owner");
  const owner = Number(await readFile(path, "utf8").catch(() => ""));
  if (owner > 0 && owner !== process.pid && isAlive(owner)) {
    throw new OperationalError(
      "STORE_LOCKED",
      `process ${owner} has the data directory ${directory}; stop it, or choose another --data-dir`,
    );
  }
  await writeFile(path, String(process.pid), { mode: 0o600 });
  return () => unlink(path).catch(() => undefined);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    // A process of another user is there, though it may not be signalled.
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
}
