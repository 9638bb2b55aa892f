/** An edge as the `d` of an SVG path: level at each point, smooth between. */
import type { Point } from "./graph-layout.ts";

export function edgePath(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return "";
  let from = first;
  let path = `M${round(from.x)} ${round(from.y)}`;
  for (const to of rest) {
    const bend = (to.x - from.x) / 2;
    const isLevel = Math.abs(to.y - from.y) < 0.5 || bend === 0;
    path += isLevel
      ? `L${round(to.x)} ${round(to.y)}`
      : `C${round(from.x + bend)} ${round(from.y)} ${round(to.x - bend)} ${round(to.y)} ${round(to.x)} ${round(to.y)}`;
    from = to;
  }
  return path;
}

function round(length: number): number {
  return Math.round(length * 10) / 10;
}
