/** What many begin with: a key's error rate above its mean by three standard deviations. */
const windowsMin = 20;
const sigmas = 3;
const keep = 2 ** (-1 / 360);

export interface SigmaRule {
  readonly weight: Float64Array;
  readonly sum: Float64Array;
  readonly squares: Float64Array;
}

export function createSigmaRule(rows: number): SigmaRule {
  const column = () => new Float64Array(rows);
  return { weight: column(), sum: column(), squares: column() };
}

/** Whether the rule calls the row's rate, which it then learns. */
export function judgeSigma(rule: SigmaRule, row: number, rate: number): boolean {
  const weight = rule.weight[row] as number;
  const mean = weight === 0 ? 0 : (rule.sum[row] as number) / weight;
  const variance = weight === 0 ? 0 : (rule.squares[row] as number) / weight - mean * mean;
  const called = weight >= windowsMin && rate > mean + sigmas * Math.sqrt(Math.max(0, variance));
  rule.weight[row] = weight * keep + 1;
  rule.sum[row] = (rule.sum[row] as number) * keep + rate;
  rule.squares[row] = (rule.squares[row] as number) * keep + rate * rate;
  return called;
}
