/** Combinations named against combinations labelled: right is what is named exactly. */

export interface NamedCase {
  /** As `dimension=value` sorted and joined by `&`, strongest first. */
  readonly named: readonly string[];
  /** What is not named, but said to be next in the order of evidence. */
  readonly alternatives: readonly string[];
  readonly labelled: readonly string[];
  readonly seconds: number;
}

export interface NameScore {
  readonly f1: number;
  readonly precision: number;
  readonly recall: number;
  /** Share of cases whose first, or one of whose first three with the alternatives, is labelled. */
  readonly top1: number;
  readonly top3: number;
  /** Share of cases where what is named is what is labelled, no more and no less. */
  readonly exact: number;
}

export function textOf(
  attributes: readonly { readonly dimension: string; readonly value: string }[],
): string {
  return attributes
    .map(({ dimension, value }) => `${dimension}=${value}`)
    .sort()
    .join("&");
}

export function scoreNames(cases: readonly NamedCase[]): NameScore {
  let [right, named, labelled, top1, top3, exact] = [0, 0, 0, 0, 0, 0];
  for (const one of cases) {
    const isRight = one.named.map((text) => one.labelled.includes(text));
    right += isRight.filter(Boolean).length;
    named += one.named.length;
    labelled += one.labelled.length;
    top1 += isRight[0] === true ? 1 : 0;
    const isWhole = isRight.every(Boolean) && one.named.length === one.labelled.length;
    exact += isWhole ? 1 : 0;
    const ranked = [...one.named, ...one.alternatives].slice(0, 3);
    top3 += ranked.some((text) => one.labelled.includes(text)) ? 1 : 0;
  }
  const share = (part: number, whole: number): number => part / Math.max(1, whole);
  return {
    f1: share(2 * right, named + labelled),
    precision: share(right, named),
    recall: share(right, labelled),
    top1: share(top1, cases.length),
    top3: share(top3, cases.length),
    exact: share(exact, cases.length),
  };
}
