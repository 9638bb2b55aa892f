/** What a half-edge tells of its side. */
export interface CallSide {
  readonly service: string;
  readonly kind: string;
  readonly peer: string;
  /** One in 2^shift such sides was kept. */
  readonly shift: number;
}
