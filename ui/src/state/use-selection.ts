/** Which incident is open, kept in the address so that it can be sent to somebody. */
import { useSyncExternalStore } from "react";

const prefix = "#/incidents/";

export function useSelection(): string | undefined {
  const hash = useSyncExternalStore(listen, () => window.location.hash);
  return hash.startsWith(prefix) ? decode(hash.slice(prefix.length)) : undefined;
}

export function linkTo(id: string | undefined): string {
  return id === undefined ? "#/" : `${prefix}${encodeURIComponent(id)}`;
}

function listen(onChange: () => void): () => void {
  window.addEventListener("hashchange", onChange);
  return () => window.removeEventListener("hashchange", onChange);
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
