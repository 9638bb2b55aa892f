/** What a customer orders, as it travels between the services. */
export interface Item {
  readonly productId: number;
  readonly quantity: number;
}

export interface Order {
  readonly items: readonly Item[];
  readonly card: string;
}

export interface Quote {
  readonly total: number;
}

/** How big a cart is, in the words of the shop. */
export function cartSizeOf(items: readonly Item[]): string {
  const pieces = items.reduce((sum, { quantity }) => sum + quantity, 0);
  if (pieces <= 3) return "small";
  return pieces <= 9 ? "medium" : "large";
}
