/** Why a data point says nothing; undefined when it says something. */
import type { MetricPoint, PointData } from "../../wire/metric-point.ts";

/** What SDKs use; finer buckets than of 20 differ by less than a millionth. */
const scaleMin = -10;
const scaleMax = 20;
const nameCharactersMax = 64;

export function faultOf({ metric, data, startMs, timeMs }: MetricPoint): string | undefined {
  if (metric.name === "") return "a metric has no name";
  const name = metric.name.slice(0, nameCharactersMax);
  if (timeMs === 0) return `${name} has no timeUnixNano`;
  const isCounting = data.kind !== "gauge" && data.kind !== "summary";
  if (isCounting && metric.temporality === "unspecified") {
    return `aggregationTemporality of ${name} is unspecified; it must be delta or cumulative`;
  }
  if (data.kind === "sum" && metric.temporality === "delta" && startMs === 0) {
    return `${name} is a delta without startTimeUnixNano, so it has no rate`;
  }
  const wrong = faultOfData(data);
  return wrong === undefined ? undefined : `${name} ${wrong}`;
}

function faultOfData(data: PointData): string | undefined {
  switch (data.kind) {
    case "gauge":
    case "sum":
      return Number.isFinite(data.value) ? undefined : "has no finite asDouble or asInt";
    case "histogram": {
      const { bounds, counts } = data;
      if (counts.length === 0 && bounds.length === 0) return undefined;
      if (counts.length !== bounds.length + 1) {
        const { length } = bounds;
        return `has ${counts.length} bucketCounts, not one more than ${length} explicitBounds`;
      }
      const ascends = bounds.every(
        (bound, index) => Number.isFinite(bound) && !(bound <= (bounds[index - 1] as number)),
      );
      return ascends ? undefined : "has explicitBounds that do not ascend";
    }
    case "exponential histogram":
      return data.scale >= scaleMin && data.scale <= scaleMax
        ? undefined
        : `has scale ${data.scale}, not from ${scaleMin} to ${scaleMax}`;
    case "summary":
      return data.quantiles.every(({ quantile }) => quantile >= 0 && quantile <= 1)
        ? undefined
        : "has a quantile outside 0 to 1";
  }
}
