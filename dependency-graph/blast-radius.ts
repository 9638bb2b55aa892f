/** Who depends on a node: everything upstream of it, and where customers come in among them. */
export interface BlastRadius {
  /** Nodes that reach it by calls, nearest first, without itself. */
  readonly dependants: readonly string[];
  /** Those of them, or itself, that nobody calls. */
  readonly entries: readonly string[];
}

export function blastRadius(
  edges: readonly { readonly caller: string; readonly callee: string }[],
  id: string,
): BlastRadius {
  const callersOf = new Map<string, string[]>();
  for (const { caller, callee } of edges) {
    if (caller === callee) continue;
    const callers = callersOf.get(callee);
    if (callers === undefined) callersOf.set(callee, [caller]);
    else callers.push(caller);
  }
  const reached = new Set([id]);
  for (const node of reached) {
    for (const caller of callersOf.get(node) ?? []) reached.add(caller);
  }
  const all = [...reached];
  return {
    dependants: all.slice(1),
    entries: all.filter((node) => !callersOf.has(node)),
  };
}
