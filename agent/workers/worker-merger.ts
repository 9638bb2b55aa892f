/**
 * Makes one agent of several workers: takes in what they hand on, and seals a window when all of
 * them have sealed theirs.
 *
 * Sealing goes in turns. A turn asks every worker to seal what is due, and ends when each has said
 * that it did, or has ended. What a worker sends after that word belongs to the next turn and
 * waits, or a span that came late could be in the memory before its cell is in the window. Waiting
 * rows are not acknowledged, so a worker's bound on rows in flight bounds them too.
 */
import type { Meter } from "../../base/meter.ts";
import type { BatchMaker } from "../batch-maker.ts";
import type { FromWorker, RowsMessage, SealedMessage, ToWorker } from "./messages.ts";
import { rowWords } from "./row-log.ts";
import { WorkerIntake } from "./worker-intake.ts";

export interface Member {
  /** Below `ownersMax`; of two members at a time never the same. */
  readonly owner: number;
  send(message: ToWorker): void;
}

type Content = RowsMessage | SealedMessage;

interface Joined {
  readonly member: Member;
  readonly intake: WorkerIntake;
  /** What waits for the turn to end. */
  held: Content[];
  isSealed: boolean;
}

interface Turn {
  readonly number: number;
  finish(): void;
}

export class WorkerMerger {
  readonly #batches: BatchMaker;
  readonly #meter: Meter;
  readonly #joined = new Map<number, Joined>();
  #turn: Turn | undefined;
  #turns = 0;
  #rejected = 0;

  /** `batches` asks this merger what was rejected. */
  constructor(batches: BatchMaker, meter: Meter) {
    this.#batches = batches;
    this.#meter = meter;
  }

  /** Those who have not said that they sealed. */
  get late(): readonly number[] {
    if (this.#turn === undefined) return [];
    return [...this.#joined.values()]
      .filter(({ isSealed }) => !isSealed)
      .map(({ member }) => member.owner);
  }

  /** Spans rejected, or known to be lost, since this was last asked. */
  takeRejected(): number {
    const rejected = this.#rejected;
    this.#rejected = 0;
    return rejected;
  }

  join(member: Member): void {
    const intake = new WorkerIntake(this.#batches, { owner: member.owner, meter: this.#meter });
    // Whoever joins during a turn was not asked and has nothing to seal.
    const isSealed = this.#turn !== undefined;
    this.#joined.set(member.owner, { member, intake, held: [], isSealed });
  }

  receive(owner: number, message: FromWorker): void {
    const joined = this.#joined.get(owner);
    if (joined === undefined) return;
    if (message.type === "rows" || message.type === "sealed") {
      if (joined.isSealed) joined.held.push(message);
      else takeIn(joined, message);
    } else if (message.type === "sealed up to" && message.turn === this.#turn?.number) {
      this.#rejected += message.rejected;
      joined.isSealed = true;
      this.#finishWhenAllAre();
    }
  }

  /** A worker has ended; gives how many spans are known to be lost with it. */
  leave(owner: number): number {
    const joined = this.#joined.get(owner);
    if (joined === undefined) return 0;
    this.#joined.delete(owner);
    const lost = joined.intake.lose(heldRows(joined.held));
    this.#rejected += lost;
    this.#finishWhenAllAre();
    return lost;
  }

  /** Seals what is due at `nowMs`, or everything, in all workers and here; one turn at a time. */
  seal(nowMs: number, { all }: { readonly all: boolean }): Promise<void> {
    return new Promise((resolve) => {
      this.#turns++;
      const finish = (): void => {
        this.#turn = undefined;
        if (all) this.#batches.sealAll(nowMs);
        else this.#batches.tick(nowMs);
        for (const joined of this.#joined.values()) goOn(joined);
        resolve();
      };
      this.#turn = { number: this.#turns, finish };
      for (const { member } of [...this.#joined.values()]) {
        member.send({ type: "seal", turn: this.#turns, nowMs, all });
      }
      this.#finishWhenAllAre();
    });
  }

  #finishWhenAllAre(): void {
    if (this.#turn !== undefined && this.late.length === 0) this.#turn.finish();
  }
}

function takeIn({ intake, member }: Joined, content: Content): void {
  if (content.type === "sealed") {
    intake.addSealed(content);
    return;
  }
  intake.addRows(content);
  member.send({ type: "taken", rows: content.words.length / rowWords });
}

function goOn(joined: Joined): void {
  const { held } = joined;
  joined.isSealed = false;
  joined.held = [];
  for (const content of held) takeIn(joined, content);
}

function heldRows(held: readonly Content[]): number {
  let rows = 0;
  for (const content of held) if (content.type === "rows") rows += content.words.length / rowWords;
  return rows;
}
