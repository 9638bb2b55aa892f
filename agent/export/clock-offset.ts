/**
 * How far our clock is from the collector's, from the times of requests and the collector's time in
 * its answers. Of the last eight the quickest round trip is believed, as its error is at most half
 * of it (Mills 1991, "Internet time synchronization").
 *
 * Up to a second, beyond what the error may be, is ignored. Up to five minutes are corrected, and
 * the correction is changed only when it is more than a second wrong, as spans before and after a
 * change are apart by it. More than that is nothing to correct in silence: it is shown.
 */
export interface ClockOffset {
  /** Collector's time less ours; undefined before the first answer. */
  readonly measuredMs: number | undefined;
  /** To be added to our time. */
  readonly correctionMs: number;
  /** The measured offset is too large to be corrected. */
  readonly isTooLarge: boolean;
  /** Takes an answer to a request; true when the correction has changed. */
  add(sample: {
    readonly sentMs: number;
    readonly answeredMs: number;
    readonly collectorMs: number;
  }): boolean;
}

const samplesMax = 8;
const ignoredMsMax = 1_000;
const correctedMsMax = 300_000;

export function createClockOffset(): ClockOffset {
  const samples: { readonly roundTripMs: number; readonly offsetMs: number }[] = [];
  let measuredMs: number | undefined;
  let correctionMs = 0;
  return {
    get measuredMs() {
      return measuredMs;
    },
    get correctionMs() {
      return correctionMs;
    },
    get isTooLarge() {
      return Math.abs(measuredMs ?? 0) > correctedMsMax;
    },
    add({ sentMs, answeredMs, collectorMs }) {
      // Our clock was set back meanwhile, so the two readings say nothing together.
      if (answeredMs < sentMs) return false;
      const roundTripMs = answeredMs - sentMs;
      const offsetMs = collectorMs - (sentMs + answeredMs) / 2;
      const isSet = Math.abs(offsetMs - (measuredMs ?? offsetMs)) > roundTripMs + ignoredMsMax;
      // One of the clocks was set since, so older samples are of another offset.
      if (isSet) samples.length = 0;
      samples.push({ roundTripMs, offsetMs });
      if (samples.length > samplesMax) samples.shift();
      const best = samples.reduce((a, b) => (b.roundTripMs <= a.roundTripMs ? b : a));
      measuredMs = best.offsetMs;
      if (Math.abs(measuredMs - correctionMs) <= ignoredMsMax + best.roundTripMs / 2) return false;
      const before = correctionMs;
      correctionMs = correctionFor(measuredMs);
      return correctionMs !== before;
    },
  };
}

function correctionFor(offsetMs: number): number {
  const size = Math.abs(offsetMs);
  return size <= ignoredMsMax || size > correctedMsMax ? 0 : Math.round(offsetMs);
}
