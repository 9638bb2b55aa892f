/**
 * A p-value as a number people can rank: 0 is ordinary, 10 beyond doubt. tanh of the decimal
 * exponent: 1e-3 gives 2.4, 1e-6 gives 4.6, 1e-12 gives 7.6, 1e-20 gives 9.3.
 */
const exponentScale = 12;

export function anomalyScore(pValue: number): number {
  const exponent = -Math.log10(Math.min(1, Math.max(Number.MIN_VALUE, pValue)));
  return 10 * Math.tanh(exponent / exponentScale);
}
