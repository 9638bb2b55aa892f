/**
 * The faults the runner can switch on, and what a good observer should say about each. Only the
 * runner reads this table; the processes of the shop never see it.
 */
export const faultLetters = ["a", "b", "c", "d", "e", "f"] as const;
export type Fault = (typeof faultLetters)[number];

export interface FaultStory {
  readonly title: string;
  readonly description: string;
  readonly expected: {
    /** The node where it starts. */
    readonly cause: string;
    /** The smallest combination that explains who is hurt; empty when it hurts everyone alike. */
    readonly attributes: readonly { readonly dimension: string; readonly value: string }[];
    readonly signal: "errors" | "slow";
    /** Whether enough customers are hurt to wake someone up. */
    readonly pages: boolean;
    /** A version first seen when it started. */
    readonly change?: { readonly service: string; readonly version: string };
  };
}

/** Attributes of the shop's spans worth aggregating by. */
export const demoDimensions = ["payment.card.type", "cart.size"] as const;

export const faults: Readonly<Record<Fault, FaultStory>> = {
  a: {
    title: "one version of payments fails for one card type in one region",
    description: "payments 2.4.0 in eu-west-1 answers 500 to every American Express charge",
    expected: {
      cause: "payments",
      attributes: [
        { dimension: "service.version", value: "2.4.0" },
        { dimension: "cloud.region", value: "eu-west-1" },
        { dimension: "payment.card.type", value: "amex" },
      ],
      signal: "errors",
      pages: true,
    },
  },
  b: {
    title: "a slow database behind two services",
    description: "every query of catalog and inventory takes 400 ms longer",
    expected: { cause: "database", attributes: [], signal: "slow", pages: true },
  },
  c: {
    title: "a dependency is down",
    description: "the tax process is killed; pricing cannot reach it",
    expected: { cause: "tax", attributes: [], signal: "errors", pages: true },
  },
  d: {
    title: "a deploy that is slow only for large carts",
    description: "pricing 1.9.0 replaces 1.8.0 and takes 500 ms longer for large carts",
    expected: {
      cause: "pricing",
      attributes: [{ dimension: "cart.size", value: "large" }],
      signal: "slow",
      pages: true,
      change: { service: "pricing", version: "1.9.0" },
    },
  },
  e: {
    title: "one customer causes thousands of errors",
    description: "one customer's program posts broken JSON to the frontend, 100 times a second",
    expected: { cause: "frontend", attributes: [], signal: "errors", pages: false },
  },
  f: {
    title: "a quiet service between cause and symptom",
    description: "tax loses its rates, pricing passes that on without a word, checkout fails",
    expected: { cause: "tax", attributes: [], signal: "errors", pages: true },
  },
};
