/**
 * Worker processes under node:cluster: the parent accepts connections and deals them out in turn,
 * so all workers answer on the same ports.
 */
import cluster from "node:cluster";
import type { FromWorker, ToWorker } from "./messages.ts";

export interface WorkerProcess {
  readonly pid: number | undefined;
  /** To a process that has ended it sends nothing. */
  send(message: ToWorker): void;
  kill(): void;
}

export interface WorkerEvents {
  onMessage(message: FromWorker): void;
  /** Nothing comes after this. */
  onEnd(reason: string): void;
}

/** Starts `program`, the path of a script that calls `runWorker`. */
export function startWorkerProcess(program: string, events: WorkerEvents): WorkerProcess {
  // The other serialisation makes an object with a property a byte of a typed array.
  cluster.setupPrimary({ exec: program, args: [], serialization: "advanced" });
  const worker = cluster.fork();
  const { process: child } = worker;
  worker.on("message", (message: FromWorker) => events.onMessage(message));
  // A message that cannot be sent is to a process that is about to end, which is told by itself.
  worker.on("error", () => {});
  // Messages may still come when the process has ended, but none behind the end of the channel.
  const channelEnded = new Promise((resolve) => worker.once("disconnect", resolve));
  worker.once("exit", (code, signal) => {
    void channelEnded.then(() => events.onEnd(signal ?? `code ${code}`));
  });
  return {
    pid: child.pid,
    send(message) {
      if (worker.isConnected()) worker.send(message);
    },
    kill: () => void child.kill("SIGKILL"),
  };
}
