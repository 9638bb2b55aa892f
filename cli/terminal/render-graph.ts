/** A root-cause graph as a tree from the entry to the cause, with the evidence of each hop. */
import type { GraphEdge, GraphNode, Hop, RootCauseGraph, Signal } from "../../wire/api-types.ts";
import {
  formatCount,
  formatDurationMs,
  formatEstimate,
  formatExpected,
  formatShare,
} from "./format.ts";
import { badWord, type Canvas } from "./render-incident.ts";
import { printable, type Style, wrapText } from "./terminal.ts";

const widthMax = 110;

/** The walk, drawn; nodes that lie off it are named below. Empty hops give an empty list. */
export function renderWalk(graph: RootCauseGraph, signal: Signal, canvas: Canvas): string[] {
  const drawing = { graph, signal, canvas, drawn: new Set<string>() };
  const roots = rootsOf(graph.hops);
  const lines = roots.flatMap((root) => drawNode(root, "", drawing));
  return [...lines, ...offPathLines(drawing)];
}

/** A node, who calls it and whom it calls; for a service no incident touches. */
export function renderNeighbours(graph: RootCauseGraph, id: string, canvas: Canvas): string[] {
  const { style } = canvas;
  const node = graph.nodes.find((candidate) => candidate.id === id);
  const callers = graph.edges.filter((edge) => edge.callee === id && edge.caller !== id);
  const callees = graph.edges.filter((edge) => edge.caller === id && edge.callee !== id);
  return [
    style.bold(printable(id)),
    ...(node === undefined ? [] : [`  ${nodeNumbers(node, "errors")}`]),
    ...group("called by", callers, (edge) => edge.caller, style),
    ...group("calls", callees, (edge) => edge.callee, style),
  ];
}

interface Drawing {
  readonly graph: RootCauseGraph;
  readonly signal: Signal;
  readonly canvas: Canvas;
  readonly drawn: Set<string>;
}

/** Where walks begin: what no other node's hop leads to; in a ring, the first hop's start. */
function rootsOf(hops: readonly Hop[]): string[] {
  const reached = new Set(hops.filter(({ from, to }) => from !== to).map(({ to }) => to));
  const roots = [...new Set(hops.map(({ from }) => from))].filter((from) => !reached.has(from));
  const first = hops[0];
  return roots.length > 0 || first === undefined ? roots : [first.from];
}

function drawNode(id: string, indent: string, drawing: Drawing): string[] {
  const { style } = drawing.canvas;
  const node = drawing.graph.nodes.find((candidate) => candidate.id === id);
  if (drawing.drawn.has(id)) return [`${printable(id)} ${style.dim("(drawn above)")}`];
  drawing.drawn.add(id);
  const hops = drawing.graph.hops.filter(({ from }) => from === id);
  const onward = hops.filter(({ to }) => to !== id);
  const lines = [nodeHead(id, node, style)];
  const stem = onward.length > 0 ? "│ " : "  ";
  if (node !== undefined) lines.push(`${indent}${stem}${nodeNumbers(node, drawing.signal)}`);
  for (const hop of hops.filter(({ to }) => to === id)) {
    lines.push(...evidenceLines(hop, `${indent}${stem}`, drawing.canvas));
  }
  for (const [index, hop] of onward.entries()) {
    lines.push(...drawHop(hop, { indent, drawing, last: index === onward.length - 1 }));
  }
  return lines;
}

interface HopPlace {
  readonly indent: string;
  readonly drawing: Drawing;
  readonly last: boolean;
}

function drawHop(hop: Hop, { indent, drawing, last }: HopPlace): string[] {
  const { style } = drawing.canvas;
  const edge = drawing.graph.edges.find(
    ({ caller, callee }) => caller === hop.from && callee === hop.to,
  );
  const lines = evidenceLines(hop, `${indent}│ `, drawing.canvas);
  if (edge !== undefined) lines.unshift(`${indent}│ ${style.dim(edgeNumbers(edge))}`);
  const below = `${indent}${last ? "   " : "│  "}`;
  const [head = "", ...rest] = drawNode(hop.to, below, drawing);
  return [...lines, `${indent}${last ? "└" : "├"}▶ ${head}`, ...rest];
}

function nodeHead(id: string, node: GraphNode | undefined, style: Style): string {
  const name = printable(id);
  if (node === undefined) return style.bold(name);
  const type = node.virtual
    ? `, ${node.type === "" ? "reports no spans" : printable(node.type)}`
    : "";
  const role = `${node.role}${type}`;
  if (node.role === "cause") return `${style.red(style.bold(name))}  ${style.red(role)}`;
  return `${style.bold(name)}  ${style.dim(role)}`;
}

function nodeNumbers(node: GraphNode, signal: Signal): string {
  const share = node.count === 0 ? 0 : node.bad / node.count;
  const parts = [
    `${formatCount(node.bad)} of ${formatCount(node.count)} ${badWord(signal)} (${formatShare(share)})`,
    `${formatExpected(node.expected)} expected`,
    `${formatCount(node.originBad)} began here`,
    `p99 ${formatDurationMs(node.p99Ms)}`,
  ];
  if (node.customersBad !== null) parts.push(`${formatEstimate(node.customersBad)} customers`);
  return parts.join(" · ");
}

function edgeNumbers(edge: GraphEdge): string {
  const parts = [
    `${formatCount(edge.bad)} of ${formatCount(edge.count)} calls bad`,
    `p99 ${formatDurationMs(edge.p99Ms)}`,
  ];
  if (edge.gapMs !== null) parts.push(`gap ${formatDurationMs(edge.gapMs)}`);
  return parts.join(" · ");
}

function evidenceLines(hop: Hop, indent: string, canvas: Canvas): string[] {
  const width = Math.min(canvas.columns, widthMax) - indent.length - 2;
  const sentences = hop.evidence.map(printable);
  if (hop.verdict !== "confirmed") sentences.push(`${hop.verdict}, not confirmed`);
  return sentences.flatMap((sentence) =>
    wrapText(sentence, width).map((line, row) => `${indent}${row === 0 ? "•" : " "} ${line}`),
  );
}

function offPathLines({ graph, canvas, drawn }: Drawing): string[] {
  const rest = graph.nodes.filter(({ id, role }) => role === "affected" && !drawn.has(id));
  if (rest.length === 0) return [];
  return [
    "",
    `also affected: ${rest.map(({ id }) => canvas.style.bold(printable(id))).join(", ")}`,
  ];
}

function group(
  title: string,
  edges: readonly GraphEdge[],
  nameOf: (edge: GraphEdge) => string,
  style: Style,
): string[] {
  if (edges.length === 0) return [`  ${style.cyan(title)}  nobody seen`];
  const width = Math.max(...edges.map((edge) => nameOf(edge).length));
  return [
    `  ${style.cyan(title)}`,
    ...edges.map(
      (edge) => `    ${printable(nameOf(edge)).padEnd(width)}  ${style.dim(edgeNumbers(edge))}`,
    ),
  ];
}
