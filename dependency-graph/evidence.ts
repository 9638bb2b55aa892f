/** The sentences that carry a walk: every number with the count it is of and what was expected. */
import {
  type CauseEdge,
  type CauseNode,
  type CauseSignal,
  type Excess,
  edgeName,
} from "./cause-graph.ts";

export function serverSentence(node: CauseNode, signal: CauseSignal): string {
  return `${share(node.server)} requests to ${node.id} ${verb(signal)}, ${expected(node.server)}`;
}

export function callsSentence(edge: CauseEdge, signal: CauseSignal): string {
  return `${share(edge.calls)} calls ${edgeName(edge)} ${verb(signal)}, ${expected(edge.calls)}`;
}

export function originSentence(node: CauseNode, signal: CauseSignal): string {
  const { bad } = node.origin;
  const what = signal === "errors" ? "failures" : "slow events";
  return `${bad} ${what} began in ${node.id}, ${expected(node.origin)}`;
}

export function silentSentence(node: CauseNode): string {
  return `${node.id} reported requests before and reports none now`;
}

export function healthySentence(node: CauseNode, signal: CauseSignal): string {
  return `meanwhile ${node.id} answers well: ${serverSentence(node, signal)}`;
}

export function gapSentence(edge: CauseEdge): string | undefined {
  const { gap } = edge;
  if (gap === undefined) return undefined;
  const { beforeMs, duringMs, pairs } = gap;
  return `median time between ${edge.caller} and ${edge.callee} ${round(beforeMs)} ms before, ${round(duringMs)} ms now, over ${pairs} paired calls`;
}

export function onsetSentence(caller: Excess, callee: Excess): string | undefined {
  if (caller.onsetMs === undefined || callee.onsetMs === undefined) return undefined;
  const seconds = Math.round((caller.onsetMs - callee.onsetMs) / 1000);
  if (seconds === 0) return "both began in the same window";
  return seconds > 0 ? `it began ${seconds} s earlier there` : `it began ${-seconds} s later there`;
}

export function verb(signal: CauseSignal): string {
  return signal === "errors" ? "failed" : "were slow";
}

export function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(2)));
}

function share({ bad, count }: Excess): string {
  return `${bad} of ${count}`;
}

function expected(excess: Excess): string {
  return `${round(excess.expected)} expected`;
}
