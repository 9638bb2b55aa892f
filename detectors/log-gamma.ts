/**
 * ln Gamma(x) for x > 0: Stirling's series after lifting x above 10 by the recurrence; relative
 * error below 1e-14. Source: Abramowitz & Stegun 6.1.41 and 6.1.15.
 */
const halfLogTwoPi = 0.9189385332046727;

export function logGamma(x: number): number {
  let lifted = x;
  let product = 1;
  while (lifted < 10) {
    product *= lifted;
    lifted += 1;
  }
  const inverse = 1 / lifted;
  const square = inverse * inverse;
  const series =
    inverse *
    (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))));
  return (lifted - 0.5) * Math.log(lifted) - lifted + halfLogTwoPi + series - Math.log(product);
}
