/** Reads /proc of this host, which only Linux has; small files that no disk is asked for. */
import { readFileSync } from "node:fs";
import type { ReadProc } from "../agent/host/host-counters.ts";

const readProc: ReadProc = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Kernels and containers differ in what they show; the rest is told all the same.
    return undefined;
  }
};

/** What an agent needs to tell of its host; nothing where there is no /proc. */
export function hostReader(): { readonly readProc?: ReadProc } {
  return process.platform === "linux" ? { readProc } : {};
}
