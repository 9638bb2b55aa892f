/**
 * The token this page asks with, where the collector wants one. Kept for the tab, in its session
 * storage: it is gone when the tab is closed and never part of an address.
 */
const storageKey = "brunt.token";

export function storeToken(text: string): void {
  window.sessionStorage.setItem(storageKey, text.trim());
}

export function authorization(): Readonly<Record<string, string>> {
  const token = window.sessionStorage.getItem(storageKey);
  return token === null || token === "" ? {} : { authorization: `Bearer ${token}` };
}
