/** Attribute names these tests ask the reader for; some differ in their last or first byte only. */
export const wantedNames = [
  "service.name",
  "http.route",
  "http.request.method",
  "customer.id",
  "customer.ids",
  "a",
  "ab",
  "abc",
  "",
  "größe",
  "constructor",
  "toString",
  "__proto__",
] as const;
