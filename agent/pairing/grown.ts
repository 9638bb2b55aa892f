/** Copies a column into one with more room. */
export function grown<T extends Uint32Array | Uint16Array | Int32Array | Float64Array>(
  from: T,
  to: T,
): T {
  to.set(from);
  return to;
}
