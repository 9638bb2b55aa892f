/**
 * The shop's customers. Uninstrumented, as people are; it keeps its own record of what each of them
 * went through, against which any claim about the shop can be held.
 *
 * Requests arrive as a Poisson process: a sum of many people who do not know of each other.
 */

import { type Sending, send } from "./http-client.ts";
import { answer, ready } from "./line.ts";
import { createRecord, type TruthQuestion } from "./truth.ts";
import { chance } from "./work.ts";

export interface LoadSettings {
  readonly requestsPerSecond: number;
}

interface Customer {
  readonly id: string;
  readonly region: string;
  readonly plan: string;
  readonly card: string;
}

const customersCount = 400;
const productsCount = 60;
const regions = ["eu-west-1", "us-east-1"];
const plans = ["free", "free", "plus", "business"];
const cards = ["visa", "visa", "visa", "visa", "mastercard", "mastercard", "mastercard"].concat([
  "amex",
  "amex",
  "amex",
]);
/** Of all requests; the rest is browsing. */
const checkoutShare = 0.45;
const cartShare = 0.15;
const listShare = 0.15;
/** Of all carts: at most 3 pieces, at most 9, more. */
const smallCartShare = 0.5;
const mediumCartShare = 0.3;
/** A client of the shop's API whose program has gone wrong. */
const strayPerSecond = 100;
const customers: readonly Customer[] = Array.from({ length: customersCount }, (_, index) => ({
  id: `c-${String(index + 1).padStart(4, "0")}`,
  region: chance.pick(regions),
  plan: chance.pick(plans),
  card: chance.pick(cards),
}));
const record = createRecord();
let stray: Customer | undefined;

answer("start", ({ requestsPerSecond }: LoadSettings) => {
  arrive(requestsPerSecond, () => visit(chance.pick(customers)));
  arrive(strayPerSecond, () => {
    if (stray !== undefined) request(stray, { method: "POST", path: "/checkout", body: "{" });
  });
});
answer("trouble", (on: boolean) => {
  stray = on ? customers[0] : undefined;
});
answer("truth", (question: TruthQuestion) => record.truth(question));
ready();

/** Runs `work` at random moments, `perSecond` times a second on average. */
function arrive(perSecond: number, work: () => void): void {
  let nextMs = performance.now();
  const step = (): void => {
    while (nextMs <= performance.now()) {
      work();
      nextMs += (-Math.log(1 - chance.next()) * 1000) / perSecond;
    }
    setTimeout(step, nextMs - performance.now());
  };
  step();
}

function visit(customer: Customer): void {
  request(customer, chooseRequest(customer));
}

function chooseRequest({ card }: Customer): Sending {
  const choice = chance.next();
  if (choice < checkoutShare) {
    return { method: "POST", path: "/checkout", body: { items: fillCart(), card } };
  }
  if (choice < checkoutShare + cartShare) {
    return { method: "POST", path: "/cart", body: { items: fillCart() } };
  }
  const list = choice < checkoutShare + cartShare + listShare;
  const path = list ? "/products" : `/products/${1 + chance.integer(productsCount)}`;
  return { method: "GET", path };
}

function fillCart(): { productId: number; quantity: number }[] {
  const choice = chance.next();
  const items = (count: number, quantityMin: number, quantityMax: number) =>
    Array.from({ length: count }, () => ({
      productId: 1 + chance.integer(productsCount),
      quantity: quantityMin + chance.integer(quantityMax - quantityMin + 1),
    }));
  if (choice < smallCartShare) return items(1, 1, 3);
  if (choice < smallCartShare + mediumCartShare) return items(3, 2, 3);
  return items(5, 3, 5);
}

function request(customer: Customer, { method, path, body }: Sending): void {
  const startMs = performance.now();
  const headers = {
    "x-customer-id": customer.id,
    "x-customer-region": customer.region,
    "x-customer-plan": customer.plan,
  };
  const end = (failed: boolean): void =>
    record.add({
      customer: customer.id,
      entry: `${method} ${path.replace(/\d+$/, ":id")}`,
      endedMs: Date.now(),
      durationMs: performance.now() - startMs,
      failed,
    });
  send("frontend", { method, path, headers, body }).then(
    ({ status }) => end(status >= 500),
    () => end(true),
  );
}
