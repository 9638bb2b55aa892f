/**
 * What notifiers send out, and silences, which hold it back; `docs/alerts.md` describes both.
 *
 * Times are epoch milliseconds. Lists and texts are bounded, so that a message is.
 */
import type { AffectedEntry, AttributeValue, Cause, Estimate, Signal } from "./api-types.ts";

export type AlertState = "firing" | "resolved";

/** One incident as somebody is told of it. The same key always comes with the same content. */
export interface Alert {
  /** `<incident>:<state>:<revision>`: equal in every copy, whoever sends it and however often. */
  readonly key: string;
  readonly state: AlertState;
  /** From 1; the next one when customers or cause have changed materially. */
  readonly revision: number;
  readonly incident: string;
  readonly title: string;
  readonly signal: Signal;
  /** 0..10. */
  readonly score: number;
  readonly startedAtMs: number;
  /** End of the last window the numbers include. */
  readonly asOfMs: number;
  /** Null while firing. */
  readonly resolvedAtMs: number | null;
  readonly cause: Cause;
  /** Where exactly, best first. */
  readonly combinations: readonly AlertCombination[];
  /** Null when no span named a customer. */
  readonly customers: Estimate | null;
  /** Most bad events first. */
  readonly entries: readonly AffectedEntry[];
  /** Share of the expected agents' traffic that reported, 0..1. */
  readonly coverage: number;
}

export interface AlertCombination {
  readonly attributes: readonly AttributeValue[];
  /** Share of the whole excess of bad events that lies inside, 0..1. */
  readonly explained: number;
  readonly customers: Estimate | null;
}

/** The body that a webhook is sent. */
export interface AlertMessage {
  readonly version: 1;
  /** Equal when the message is sent again; that of the alert when it carries one. */
  readonly key: string;
  readonly alerts: readonly Alert[];
}

/** `service`, `operation` or the name of an attribute, and the value it must have. */
export interface Matcher {
  readonly name: string;
  readonly value: string;
}

/** Holds back the alerts of incidents that all its matchers match, until it ends. */
export interface Silence {
  readonly id: string;
  readonly matchers: readonly Matcher[];
  readonly comment: string;
  readonly createdAtMs: number;
  readonly endsAtMs: number;
}
