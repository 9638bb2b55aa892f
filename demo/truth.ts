/** What the customers of the shop really went through, request by request. */
export interface Outcome {
  readonly customer: string;
  /** The frontend's operation, like `POST /checkout`. */
  readonly entry: string;
  readonly endedMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
}

/** Which requests to count: those that ended in `[fromMs, toMs)`, of one entry or of all. */
export interface TruthQuestion {
  readonly fromMs: number;
  readonly toMs: number;
  readonly entry?: string;
}

/** `customersFailed` and `customersSlow` count each customer once. */
export interface Truth {
  readonly requests: number;
  readonly failed: number;
  readonly slow: number;
  readonly customers: number;
  readonly customersFailed: number;
  readonly customersSlow: number;
}

export interface OutcomeRecord {
  add(outcome: Outcome): void;
  truth(question: TruthQuestion): Truth;
}

/** Healthy requests take well below this, slow ones well above; nothing here lies between. */
const slowMs = 300;
/** More than three hours of the usual traffic; beyond that the older half is forgotten. */
const outcomesMax = 400_000;

export function createRecord(): OutcomeRecord {
  let outcomes: Outcome[] = [];
  return {
    add(outcome) {
      outcomes.push(outcome);
      if (outcomes.length > outcomesMax) outcomes = outcomes.slice(outcomesMax / 2);
    },
    truth({ fromMs, toMs, entry }) {
      const asked = outcomes.filter(
        (outcome) =>
          outcome.endedMs >= fromMs &&
          outcome.endedMs < toMs &&
          (entry === undefined || outcome.entry === entry),
      );
      const failed = asked.filter((outcome) => outcome.failed);
      const slow = asked.filter((outcome) => outcome.durationMs > slowMs);
      return {
        requests: asked.length,
        failed: failed.length,
        slow: slow.length,
        customers: countCustomers(asked),
        customersFailed: countCustomers(failed),
        customersSlow: countCustomers(slow),
      };
    },
  };
}

function countCustomers(outcomes: readonly Outcome[]): number {
  return new Set(outcomes.map(({ customer }) => customer)).size;
}
