/** What a process prints and logs, kept and waited for. */
import type { ChildProcess } from "node:child_process";

export interface ProcessText {
  /** So far, or the end of it. */
  readonly text: string;
  /** Resolves with the first match in what it prints; rejects when it ends before. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
}

const textMax = 2 ** 20;

export function readProcess(
  { stdout, stderr }: ChildProcess,
  ended: Promise<unknown>,
): ProcessText {
  let text = "";
  const listeners = new Set<() => void>();
  for (const stream of [stdout, stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text = (text + chunk).slice(-textMax);
      for (const listener of [...listeners]) listener();
    });
  }
  return {
    get text() {
      return text;
    },
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(text);
          if (match === null) return;
          listeners.delete(look);
          resolve(match);
        };
        listeners.add(look);
        void ended.then(() => reject(new Error(`it ended before it said ${pattern}: ${text}`)));
        look();
      }),
  };
}
